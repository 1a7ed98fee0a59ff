// What the name of a function, as a demangler writes it, tells of who wrote the function.
#pragma once

#include <stdbool.h>

// The qualified name within the text: behind the result type that templates of C++ are shown with.
// NULL gives "".
const char *function_qualified(const char *function);

// Of the standard library of C++ or Rust: of namespace std, or of Rust's core and alloc. The code
// of both is found in every program, for it is generic or linked statically.
bool function_is_standard(const char *function);

// Of Rust: the demangler shows no parameters.
bool function_is_rust(const char *function);
