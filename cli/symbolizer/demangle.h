// The names of functions and variables as C++ and Rust sources have them.
#pragma once

// Of a symbol; one that is not mangled has the same name. The caller frees the result.
char *demangled(const char *symbol);
