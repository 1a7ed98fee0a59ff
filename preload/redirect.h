// Which forks are carried out the way posix_spawn() does it: those from sites, which are the calls
// of fork(), that are known to do nothing in the child but prepare and exec.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct entry_frame;
struct redirect_site;

enum redirect_choice { FORK_REAL, FORK_BORROW, FORK_LEARN };

// Tested by the entry of fork(): some mode is on, and the process has had a second thread.
extern __attribute__((visibility("hidden"))) unsigned char forkhound_redirects;

// Where the first thread is made.
void redirect_start(void);
// At the start of each further thread.
void redirect_thread(void);

// At the entry of fork() in a process with threads. For FORK_BORROW *trap is where the return
// address of the calling function stands. Tells of each refusal once for each site and reason. At
// the first fork from a site it takes the unwinder's lock, reads files and maps memory; no malloc.
enum redirect_choice redirect_decide(const struct entry_frame *frame, struct redirect_site **site,
                                     uint64_t *trap);
