// A stack of an event as text.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

// One line a frame, in columns: number, function, file:line, module+offset.
void stack_print(FILE *out, const json_t *stack, int indent);
// The stack `key` of a thread, and its Python frames below the frames that run them.
void stack_print_thread(FILE *out, const json_t *thread, const char *key, int indent);
