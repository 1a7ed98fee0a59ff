// The signals of a borrowed child. It must not run a handler of the program in borrowed memory, nor
// dump core, which kills the parent too before Linux 5.16, nor stop, which holds the parent up:
// such signals are caught, the child becomes a process of its own, and the signal then does there
// what it would have done. The program sees the dispositions that it expects.
#pragma once

#include <signal.h>
#include <stdint.h>

enum {
  KERNEL_SIGNALS = 65,  // 1 to 64
  // Of the two signals that libc keeps for itself and lets nobody block: it changes the ids of all
  // threads (nptl/setxid), which a child must not do.
  BORROW_SIGNAL = 33,
};

struct borrow;

// As rt_sigaction() has it on x86-64 (arch/x86/include/uapi/asm/signal.h).
struct kernel_action {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
};

// All signals, of which the kernel leaves out those that nobody may block. Returns the mask before.
uint64_t signals_block(void);
void signals_restore(uint64_t mask);

// In the parent: reads the dispositions.
void signals_read(struct borrow *b);
// In the child: catches what is to be caught.
void signals_catch(struct borrow *b);
// In a process of its own: the dispositions that the program expects, and the signals that were
// caught meanwhile.
void signals_give_back(const struct borrow *b);

// These stand for libc's functions of the same names in a borrowed child; elsewhere they are the
// same.
int own_sigaction(int number, const struct sigaction *action, struct sigaction *old);
sighandler_t own_signal(int number, sighandler_t handler);
