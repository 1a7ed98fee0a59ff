// What a process is seen to do of which nothing is proven or suspected.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// Why such a process cannot be judged, though it may hang; NULL: nothing of the kind was seen. The
// caller frees it.
char *survey_why(pid_t pid);
// Prints it (`why` as of survey_why()) and where each of its threads is or, without `all`, the
// first one. `parent`: 0: left out.
void survey_print(pid_t pid, pid_t parent, const char *why, bool all);
