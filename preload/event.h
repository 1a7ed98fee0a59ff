// Events as JSON lines (schema version 1).
#pragma once

#include "story.h"
#include "text_buffer.h"

// The beginning of each event, which the caller ends; pid 0: this process.
void event_begin(struct text *t, const char *event, uint64_t time_ns, pid_t pid);
void event_fork(struct text *t, const struct story *story);
// Of the child of a multithreaded fork: before an exec of `path` (error 0) and after one that
// failed (errno), and at its end.
void event_exec(struct text *t, const char *path, int error);
void event_exit(struct text *t, int status);
// A fork child of such a child.
void event_child(struct text *t);
// A program that the library will not see.
void event_blind(struct text *t, const char *path, const char *why);
