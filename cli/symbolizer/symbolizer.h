// A process of the command's own for what reads files that programs chose: libelf and libdw map
// and parse them. What ends it, or keeps it for longer than some seconds, costs the answer to one
// question; it is begun again at the next. It has limits of memory and descriptors, reads regular
// files only, begins with the first question, and ends with the command.
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The memory of a process that may be read for a question. The symbolizer does not read it: where
// the Yama module is in force only what is above the process may.
struct symbolizer_memory {
  pid_t pid;
  uint64_t copied_at;  // what was there when the thread stopped, instead of what is there now
  size_t copied;       // bytes
  const void *copy;
};

// The questions, and what the answer is:
//   {"names": FILE, "build_id": HEX, "addresses": [ADDRESS...]}: debug_names()
//   {"symbol": ADDRESS, "pid": PID, "serial": N}: unwinder_symbol()
//   {"stack": [REGISTER...], "pid": PID, "serial": N}: true, and the frames
//   {"imports": NAME, "pid": PID}: true or false, see imports.h
//   {"fork_code": FILE}: [START, END], or null
// `serial` is another one whenever the modules of the process are to be looked at anew. Takes the
// question; `memory` and `frames` may be NULL, frames are appended also if there is no answer.
// NULL: none, which is told once. The caller owns the answer.
json_t *symbolizer_ask(json_t *question, const struct symbolizer_memory *memory, json_t *frames);

// When no answer is worth to be awaited for long any more (CLOCK_MONOTONIC); 0: never.
void symbolizer_limit(long long at_ns);
