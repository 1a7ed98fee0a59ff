// Text for a person. Nothing here allocates or locks; it may run in any thread and in a fork child,
// and leaves errno alone.
#pragma once

struct text;

// Remembers which file stderr is. Call once at the start of the process.
void output_start(void);

// Text for a person: written to fd 2, if that is still the file it was at the start; a program may
// have closed it and opened its data there.
void output_stderr(const struct text *t);
