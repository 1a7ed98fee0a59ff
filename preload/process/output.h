// Where reports and events go. Nothing here allocates or locks; every function may run in any
// thread and in a fork child, and leaves errno alone.
#pragma once

#include <stdbool.h>

struct text;

// Whether the option `color` and what stderr is now ask for colours there.
bool output_wants_color(void);

// One event line with its newline, in one O_APPEND write, to the driver's file and to log_path. The
// file is opened by path each time, so that no descriptor of ours lives in the program. A file that
// cannot be written is named by one warning line on stderr. False if the driver lives and did not
// get the event.
bool output_event(const struct text *t);

// The same for any file, which warnings call `what`.
void output_append(const char *path, const char *what, const struct text *t);

// False where neither a driver nor log_path wants events.
bool output_wants_events(void);
