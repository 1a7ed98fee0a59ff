// The Python frames of a live process, read from its memory while it runs.
#pragma once

#include <jansson.h>
#include <sys/types.h>

struct live_python;

// NULL: it is no Python, or its memory cannot be read.
struct live_python *live_python_open(pid_t pid);
void live_python_close(struct live_python *live);
// Adds what there is to tell of the thread, as the event of a fork has it: "python",
// "python_version" and so on, and a "notes" entry where frames are missing. `live` may be NULL.
void live_python_add(struct live_python *live, pid_t tid, json_t *to);
