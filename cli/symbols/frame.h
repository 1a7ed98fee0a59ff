// What a frame of an event stands for, and the place that a stack is at.
#pragma once

#include <jansson.h>
#include <stdbool.h>

// Of libforkhound.
bool frame_is_ours(const json_t *frame);
// Whether a frame is not of the program's own code: ours, or of the C library, or of the standard
// library of C++ or Rust, which may be compiled into the program.
bool frame_is_library(const json_t *frame);
// "file:line", or "" if unknown; "app+0x1234". Not escaped; the caller frees them.
char *frame_location(const json_t *frame);
char *frame_in_module(const json_t *frame);
// The innermost frame of the program's own code: "src/app.c:33 in main", or "app+0x1234". The
// caller frees it; it is not escaped.
char *stack_place(const json_t *stack);
// The same of a thread with a stack "stack": for Python code, the place in it.
char *stack_place_of_thread(const json_t *thread);
// Whether no frame is of other code than CPython's and libc's: a user learns nothing from it.
bool stack_is_interpreter(const json_t *stack);
