// The fork() that a language gives to its programs: the child's interpreter writes its state before
// it calls anything that could be noticed, so such a fork is never redirected.
#pragma once

struct module;

// Why this function's fork is one, or NULL.
const char *language_fork(const struct module *m, const char *function);
