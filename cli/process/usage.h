// What a process has used and written, to tell one that works from one that only waits.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct usage {
  pid_t pid;
  unsigned long long ticks;    // of a processor, sysconf(_SC_CLK_TCK) a second
  unsigned long long written;  // bytes, by write() and its like
};

// All processes below this one but `left_out` (0: none); the caller frees *list.
size_t usage_of_tree(struct usage **list, const pid_t *left_out, size_t left_out_count);

// Whether there are processes now that were not there then.
bool usage_has_new(const struct usage *then, size_t then_count, const struct usage *now,
                   size_t now_count);

// Whether those in both lists have written since the first, or used a processor to speak of: a
// hundredth of these nanoseconds.
bool usage_grew(const struct usage *then, size_t then_count, const struct usage *now,
                size_t now_count, long long elapsed_ns);
