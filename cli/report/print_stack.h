// A stack of an event as text.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

// One line a frame, in columns: number, function, file:line, module+offset.
void stack_print(FILE *out, const json_t *stack, int indent);
// The stack `key` of a thread, and its Python frames below the frames that run them.
void stack_print_thread(FILE *out, const json_t *thread, const char *key, int indent);
// Whether a frame is not of the program's own code: ours, or of the C library, or of the standard
// library of C++ or Rust, which may be compiled into the program.
bool stack_is_library(const json_t *frame);
// The innermost frame of the program's own code: "src/app.c:33 in main", or "app+0x1234". The
// caller frees it; it is not escaped.
char *stack_place(const json_t *stack);
// The same of a thread with a stack "stack": for Python code, the place in it.
char *stack_place_of_thread(const json_t *thread);
// Whether no frame is of other code than CPython's and libc's: a user learns nothing from it.
bool stack_is_interpreter(const json_t *stack);
// A file name relative to the working directory, where it lies below. Points into `file`.
const char *stack_relative(const char *file);
