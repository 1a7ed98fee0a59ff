// Letting a stopped thread go on with a transfer that the stop cut short.
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/user.h>

// If the thread was stopped at the return of a write(), send() or getrandom() that had transferred
// only a part because of the stop, changes its registers, and its stack below the red zone, so that
// it transfers the rest before the call returns. True if *user was changed and must be set. In the
// helper task.
bool resume_transfer(pid_t pid, struct user_regs_struct *user);
