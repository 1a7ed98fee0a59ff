// Parts that the proof of a deadlock and the suspicion of one share.
#pragma once

#include "inspect/lock.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct suspect {
  pid_t pid;
  const char *exe;           // NULL: not known
  const json_t *fork_event;  // that fork's; NULL: not known
  const json_t *site_event;  // the first one's from the same place; NULL: not known
  bool never_forked;         // no sign of a fork: it may well wait to be asked to end
};

// Adds a sentence, and frees it.
void proof_say(json_t *proof, char *sentence);

// Sentences that several proofs have: who could write the word; that the lock's owner is not here;
// which handler could end the wait (0: none; `owned` as below).
void proof_say_private(json_t *proof);
void proof_say_left_behind(json_t *proof, pid_t owner);
void proof_say_handlers(json_t *proof, pid_t pid, int signal, bool owned);

// Whether no other process can write the word that the task waits for.
bool private_word(pid_t pid, const struct task_wait *task);

// Whether another process shares the address space.
bool shares_memory(pid_t pid);

// The first signal whose handler could end the wait, or 0. `owned`: a lock whose owner is gone
// cannot be released by one: it could jump out of the wait, as a timer's may, and others where the
// process calls longjmp() at all.
// `never_forked`: those that ask a process to end count too.
int waking_signal(pid_t pid, bool owned, bool never_forked);
// The same of these signals only, as a mask.
int waking_among(pid_t pid, unsigned long long caught, bool owned, bool never_forked);
struct noted {
  unsigned long long signals;  // whose handlers were left out, as a mask: bit 0 is signal 1
  bool in_python;              // CPython runs what is written in Python for them
};
// The same where the first task of the process waits so, and no other task's end of a wait matters:
// handlers that only note that a signal has come do not count, as far as the wait does not let the
// interpreter do more. `lock` and `stack`: what
// lock_at() was given and told.
int waking_unless_noted(const struct suspect *suspect, const struct task_wait *task,
                        const struct lock *lock, const json_t *stack, bool owned,
                        struct noted *noted);
void proof_say_noted(json_t *proof, const struct noted *noted);

// Adds the owner as it was at the fork or, without an owner, all other threads, where the event of
// the fork does not have them.
void proof_add_threads(json_t *event, const struct suspect *suspect, pid_t owner_tid);

// Adds the Python frames of the thread as they are now, if there are any; a note where the process
// has ended meanwhile.
void proof_add_python(json_t *event, pid_t pid, pid_t tid);

// Address, kind and owner of a lock.
void proof_describe(json_t *described, const struct lock *lock);

// Consumes the references.
json_t *proof_event(const char *kind, const struct suspect *suspect, json_t *lock, json_t *stack,
                    json_t *proof, long long waited_ms);
