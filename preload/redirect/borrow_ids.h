// Ids in a borrowed child. libc's functions change those of all threads that it knows of, which are
// the parent's (nptl/setxid): these are the system calls themselves, which change the caller's.
#pragma once

// What stands for the function of this name, or NULL.
void *borrow_ids_own(const char *symbol);
