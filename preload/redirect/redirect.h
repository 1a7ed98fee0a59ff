// Which forks are carried out the way posix_spawn() does it: those from sites, which are the calls
// of fork(), that are known to do nothing in the child but prepare and exec.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry_frame;
struct redirect_site;

// A fork that is to be redirected.
struct redirect {
  struct redirect_site *site;
  uint64_t trap;  // where the return address of the calling function stands, or 0
  size_t save;    // bytes of the stack from the entry frame upward that the caller gets back
};

// Tested by the entry of fork(): some mode is on, and the process has had a second thread.
extern __attribute__((visibility("hidden"))) unsigned char forkhound_redirects;

// Where the first thread is made.
void redirect_start(void);
// At the start of each further thread.
void redirect_thread(void);

// At the entry of fork(): false for a real fork, of which *redirect has the trap where it is known,
// else 0. Tells of each refusal once for each site and reason. At the first fork from a site it
// takes the unwinder's lock, reads files and maps memory; no malloc.
bool redirect_decide(const struct entry_frame *frame, struct redirect *redirect);
