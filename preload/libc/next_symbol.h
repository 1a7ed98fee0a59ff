// The function that the program would have called, had this library not shadowed its name.
#pragma once

// The next definition of the symbol in the search order of the program, in the version that a
// program is linked with today; NULL: there is none. Like dlsym() it may hang in the child of a
// fork of a multithreaded process, and may change errno.
void *next_symbol(const char *symbol);

// Where no library of that search order has it, but one that was loaded with dlopen() for itself,
// as Python does: the definition that the code at this address would have been given.
void *symbol_for(const char *symbol, const void *caller);
