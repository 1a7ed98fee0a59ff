// Descriptors of ours, open for moments only. O_CLOEXEC does not help a child that another thread
// forks just then: it closes them first of all, by descriptor_close_inherited().
// No locks: any thread, any child. errno is unchanged.
#pragma once

#include <stdbool.h>

// Set in a process that borrows this memory: its descriptors are its own, and forked to nobody.
extern __thread bool descriptor_unlisted;

// As open(2), with O_CLOEXEC and O_NOCTTY; the descriptor, or -errno.
long descriptor_open(const char *path, int flags);
void descriptor_close(long fd);

// For one that was opened in another way, with O_CLOEXEC; a negative one is left alone.
void descriptor_list(long fd);

// In a fork child.
void descriptor_close_inherited(void);
