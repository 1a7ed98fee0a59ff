// The signals of a borrowed child. It must not run a handler of the program in borrowed memory, nor
// dump core, which kills the parent too before Linux 5.16, nor stop, which holds the parent up:
// such signals are caught, the child becomes a process of its own, and the signal then does there
// what it would have done. The program sees the dispositions that it expects.
#pragma once

#include <signal.h>
#include <stdint.h>

struct borrow;

// In the child: catches what is to be caught.
void signals_catch(struct borrow *b);
// These stand for libc's functions of the same names in a borrowed child; elsewhere they are the
// same.
int own_sigaction(int number, const struct sigaction *action, struct sigaction *old);
sighandler_t own_signal(int number, sighandler_t handler);
