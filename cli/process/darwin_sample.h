// Reads what sample(1) of macOS writes.
#pragma once

#include <jansson.h>
#include <stdbool.h>

// A process that was at one place for all the time.
struct sample {
  long long count;   // of samples
  const char *kind;  // of the lock that the place waits for; NULL: it waits for none
  const char *stub;  // the system call, as "__psynch_mutexwait"; NULL as above
  json_t *stack;     // of its one thread, innermost first; owned by the caller
};

// False where the text is none of sample's, or the process had several threads, or was at several
// places.
bool sample_read(const char *text, struct sample *sample);
