// What the Python frames of an event stand for, beside the native ones.
#pragma once

#include <jansson.h>
#include <stdbool.h>

// Whether the frame is a call of CPython's evaluation function, which runs Python frames.
bool python_evaluates(const json_t *frame);

// Whether the Python frames can be told to belong to those calls, one group each. `approximate`:
// frames may be missing in the midst of the stack; `cut`: outer Python frames are missing.
bool python_matches(const json_t *stack, const json_t *python, bool cut, bool approximate);

// Whether it is the outermost frame of such a call.
bool python_is_entry(const json_t *frame);

// Whether a thread of a Python process is none of Python's. `version`: of the process, or NULL
// where it is no Python, or none whose frames can be read.
bool python_is_foreign(const json_t *thread, const char *version);

// The name that a thread has in Python, else that which the system knows. NULL: none.
const char *python_thread_label(const json_t *thread);

// Whether it is multiprocessing's forkserver that forks there.
bool python_is_forkserver(const json_t *python);

// The innermost frame, "app.py:12 in main"; where that is in the standard library or a package also
// who called it: "queue.py:171 in Queue.get, called from app.py:12 in main"; if nobody's else did,
// also the outermost one of these. NULL where there is none. Not escaped; the caller frees it.
char *python_place(const json_t *python);

// Whose a thread of Python's is, by the outermost frame outside the standard library, or if there
// is none by the outermost one: the package, "sentry_sdk", or the file, "app.py" or "queue.py".
// NULL where there is none. Not escaped; the caller frees it.
char *python_whose(const json_t *python);
