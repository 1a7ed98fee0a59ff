/* The names of functions and variables as C++ and Rust sources have them. */
#ifndef FORKHOUND_DEMANGLE_H
#define FORKHOUND_DEMANGLE_H

/* Of a symbol; one that is not mangled has the same name. The caller frees the result. */
char *demangled(const char *symbol);

#endif
