// Where a signal has interrupted a borrowed child. It may leave the memory that it borrows only
// where it holds no lock of libc and has changed nothing there by half: libc's fork() would wait
// for a lock of its own, and the parent would find it locked for ever.
#pragma once

#include <stdbool.h>
#include <ucontext.h>

struct borrow;

// In a signal handler: whether become_real() may follow. `timer`: the signal is of the parent's
// 200 ms. Waits at most 100 ms for another thread's unwinding.
bool borrow_place_may_leave(struct borrow *b, const ucontext_t *interrupted, bool timer);
