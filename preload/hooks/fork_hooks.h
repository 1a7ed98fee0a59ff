// fork-like calls become fork events: the interposed symbols.
#pragma once

#include <stdbool.h>

// What each wrapper asks first: whether it is to do nothing but call the real function.
bool fork_passes(void);
