// The table of fork sites of this process. A site is the return address of a call of fork() in a
// file: another file may have come to the same address.
#pragma once

#include "common/config/site_rules.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct entry_frame;
struct fork_site;

// Reasons for which a fork of an allowed site was refused; told once each.
enum { REDIRECT_REASONS = 32 };

struct redirect_site {
  uint64_t return_address;
  uint64_t offset;  // in the module: of the return address
  char module[64], function[96];
  char path[256];         // of the file, "" for code that is in none
  struct site_rule rule;  // of the sites file or the built-in list, or SITE_NONE
  const char *never;      // why it is never redirected, whatever the file says, or NULL
  // Where the return address of the calling function stands: this far from a register's value at
  // the call.
  enum { SLOT_UNKNOWN, SLOT_SP, SLOT_BP } slot;
  int64_t slot_offset;
  // Why not again: its child had to become a process of its own.
  _Atomic bool became_real;
  char real_reason[128];
  struct fork_site *learned;  // what was learned of it, or NULL
  _Atomic unsigned borrowed;
  char first[32];  // id of the first fork from it that was redirected and told, or ""
  _Atomic(const char *) told[REDIRECT_REASONS];
};

// The site of this call, known or new; NULL: no room, or the unwinder is in use for long.
struct redirect_site *redirect_site_of(const struct entry_frame *frame);

// The child of a fork from it had to become a process of its own: no further one is redirected.
void redirect_site_became_real(struct redirect_site *site, const char *reason);

// A module with restartable sequences of its own, or NULL; as of the last new site.
const char *redirect_site_rseq_user(void);
