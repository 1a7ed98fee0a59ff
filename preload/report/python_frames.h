// The Python frames of a story's threads.
#pragma once

#include "fork_report.h"

// Reads the frames of the forking thread and of story->others, in memory of its own, which stays
// until the next call: free it with python_story_free(). A process without an interpreter pays for
// one look at its modules, and for another only when there are more of them. No locks, no
// allocation but mmap; one caller at a time. `snapshot`: that of the story, or NULL. `pages`:
// PAGES_MEMORY bytes, which are overwritten. Returns what python_story_place() would.
uint64_t python_story_fill(struct story *story, struct snapshot *snapshot, void *pages);
void python_story_free(void);

// Where in Python the calling thread is, to be compared with another such number; 0 where no
// interpreter was found before, or it is no thread of Python's. As python_story_fill(), but any
// thread, also before a fork.
uint64_t python_story_place(void);

// In the child of a later fork of a place: keeps where the threads of Python's were, until CPython
// drops them, as a struct python_record. Before thread_forget_others().
void python_story_keep(void);

// The address of that record in each such child, 0 where there is none.
uint64_t python_story_kept(void);

// Fills story->test if an interpreter was found before. Any thread.
void python_story_test(struct story *story);
