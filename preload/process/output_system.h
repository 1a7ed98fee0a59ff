// What output.c needs of the system.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct text;

// Whether we may write to descriptors of the program.
bool output_system_allows(void);

// Writes all of it, with no signal to the program. 0 or -errno.
long output_system_write(int fd, const struct text *t);

bool output_system_is_terminal(int fd);

// That process has ended.
bool output_system_gone(pid_t pid);
