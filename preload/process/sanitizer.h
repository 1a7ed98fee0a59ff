// Programs built with a sanitizer write to its memory at each entry of a function and each access,
// of the thread that they think they are: a borrowed child would write the parent's, and our copies
// of a stack would be reads of what is not to be read.
#pragma once

#include <stdbool.h>

// NULL, or that there is one, in words. Any thread.
const char *sanitizer_refuses(void);

// The processor is valgrind's: what the kernel tells of a thread is not the program's.
bool sanitizer_is_valgrind(void);
