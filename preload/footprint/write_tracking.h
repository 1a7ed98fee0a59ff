// Which pages of its private memory a process writes. For a fork child, which has one thread: raw
// system calls, no locks, no allocation, errno unchanged.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mappings;

// Watches all private writable mappings from here on. 0, or -errno: the kernel is older than 6.7 or
// does not allow it. Two descriptors stay open, close-on-exec, with high numbers.
long write_watch_start(const struct mappings *mappings);

// Calls visit(start, end, argument) for each range of pages written since in these mappings, in
// order; ends early when it returns false. False if the watch was lost: the process closed its
// descriptors.
bool write_watch_each(const struct mappings *mappings,
                      bool (*visit)(uint64_t start, uint64_t end, void *argument), void *argument);

void write_watch_stop(void);
bool write_watch_on(void);

// Whether the descriptor is one of the two: for the program it is not open.
bool write_watch_keeps(int fd);
// The parts of first to last without them; calls visit(first, last) for each, whose first failure
// is returned. For close_range().
int write_watch_around(unsigned int first, unsigned int last,
                       int (*visit)(unsigned int first, unsigned int last, int flags), int flags);
