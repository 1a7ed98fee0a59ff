// What wrappers tell the child that borrows its parent's memory, and nothing elsewhere. On systems
// where none does: redirect_none.c.
#pragma once

// In the child: an exec begins, or has failed. `path`: NULL for a descriptor.
void borrow_exec(const char *path);
void borrow_exec_failed(void);
// In the child: ends it with this status, under its own process id where that can be done. Returns
// where there is none, or where it has become a process of its own.
void borrow_exit(int status);

// A fork child has the pool and no borrower.
void borrow_forget(void);
