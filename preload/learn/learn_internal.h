// What the files of a lesson share: learn.c has its parent's calls, learn_child.c those of the
// child that is watched, learn_wait.c the parent's wait for it, learn_record.c what is told and
// kept of it.
#pragma once

#include "footprint/calling_frame.h"
#include "learned_sites.h"
#include "learn.h"
#include "footprint/child_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct learn {
  struct calling_frame frame;
  struct fork_site *site;
  struct lesson *lesson;
  uint64_t began;  // CLOCK_MONOTONIC
  bool waits;      // the thread that forks, for the child's verdict
  size_t stack_length;
  unsigned char stack[CALLING_STACK];  // from the frame's sp upward, before the fork
  struct notes notes;
};

// An event of a fork of this site, in the parent; or in the child, after the parent has gone on.
void learn_tell(const struct learn *learn, const char *action, pid_t child,
                enum lesson_verdict verdict, const char *reason);
// The same with the lesson's reason, which the site, and the sites file once it is certain, keep.
void learn_record(struct learn *learn, pid_t child, enum lesson_verdict verdict);
// Gives the variable that was written its name, if its file has one.
void learn_name_written(struct lesson *lesson);

// In the parent, whose thread waits: LESSON_NONE if the child is stuck.
enum lesson_verdict learn_wait(struct learn *learn, pid_t child);
// Whether the child has taken longer than a borrowed one may, not counting what our own work took
// before, and what it waited for a processor.
bool learn_is_late(const struct lesson *lesson, pid_t child);
extern const char learn_too_slow[];
