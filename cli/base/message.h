// Messages of forkhound itself, and the escaping of all text that came from the program under test.
#pragma once

#include <stdio.h>

// One line "forkhound: ..." on stderr. The arguments of both are escaped, the format is not.
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));
// The same, then exit with 125. Calls what on_die() named first.
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void on_die(void (*clean_up)(void));

// Copy of `text` in which control bytes, C1 controls, bidirectional overrides and invalid UTF-8 are
// written as \xNN. NULL gives "". The caller frees it.
char *escaped(const char *text);
void put_escaped(FILE *out, const char *text);

// These end the program with a message when memory runs out.
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *text);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

// What follows the last slash. NULL gives "".
const char *base_name(const char *path);
