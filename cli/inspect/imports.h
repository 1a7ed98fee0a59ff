// What the modules of a process could call, by the symbols that they import.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// Whether a module of the process, other than libc and this project's library, refers to
// longjmp() or one of its kind. True also where that cannot be told.
bool calls_long_jump(pid_t pid);

// Whether a module of the process, other than CPython itself, could give a thread that is none of
// Python's a state of it, or release a lock of CPython without one. True also where that cannot be
// told.
bool gives_python_states(pid_t pid);

// The same by its name, in the symbolizer, which maps the modules.
bool imports_any(const char *name, pid_t pid);
