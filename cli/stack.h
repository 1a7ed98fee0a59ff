/* A stack of an event as text. */
#ifndef FORKHOUND_STACK_H
#define FORKHOUND_STACK_H

#include <jansson.h>
#include <stdio.h>

/* One line a frame, in columns: number, function, file:line, module+offset. */
void stack_print(FILE *out, const json_t *stack, int indent);
/* The innermost frame that is neither libc's nor ours: "src/app.c:33 in main", or "app+0x1234". The
   caller frees it; it is not escaped. */
char *stack_place(const json_t *stack);

#endif
