// Suppressions in the sanitizers' form: lines "type:pattern", with # for comments.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct suppression {
  char *type;     // hazard, suspect or deadlock
  char *pattern;  // * stands for anything, ^ and $ for the ends; else found anywhere
  bool built_in;  // only the names of threads are held against it
  unsigned matched;
};

struct suppressions {
  struct suppression *list;
  size_t count;
};

// Adds the lines of a file; a line that is none is named by a message, and the rest counts. Ends
// the program with 125 if the file cannot be read.
void suppressions_read(struct suppressions *suppressions, const char *path);
// Adds those for threads that are harmless in every program.
void suppressions_add_built_in(struct suppressions *suppressions);
void suppressions_free(struct suppressions *suppressions);

// Whether findings of this type at the fork of a symbolized fork event are silenced: a pattern fits
// the function, file or module of a frame of the fork site (native or Python), or every other
// thread is covered by patterns that fit its name, the module that made it, or a frame of its
// stacks. Counts the matches.
bool suppressed(struct suppressions *suppressions, const char *type, const json_t *fork);
// The same for the stack of a stuck child.
bool suppressed_stack(struct suppressions *suppressions, const char *type, const json_t *stack);

// "3 hazard:libfoo.so" for each that matched.
void suppressions_print(const struct suppressions *suppressions, FILE *out);
