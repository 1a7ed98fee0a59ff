// The places that call fork() in a multithreaded process, and what is known of each. One table for
// all processes that descend from one another by fork alone: what a child learns, its parent knows.
// Lock-free; usable in any thread and child.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct calling_frame;

struct fork_site {
  _Atomic uint64_t key;   // 0: free
  _Atomic int named;      // function is filled
  char module[64];        // file name
  char function[96];      // "-": not known
  uint64_t offset;        // of the return address of the call in it
  _Atomic unsigned safe;  // forks that were learned from and safe
  _Atomic int refused;    // 0, 1: reason is being written, 2: denied, 3: unknown
  char reason[160];       // of the first refusal
};

// Maps the table. Before the first thread is made.
void fork_sites_start(void);

// The site, made if there is none; NULL where the table is full, or not there.
struct fork_site *fork_sites_get(const struct calling_frame *frame);

// Finds the function's name in the file's symbols. One thread at a time (see unwind_enter()).
void fork_site_name(struct fork_site *site, const struct calling_frame *frame);

// A fork from there was safe.
void fork_site_safe(struct fork_site *site);

// It must not be borrowed for (denied), or cannot be judged here (not denied). Only the first
// reason counts, but a denial replaces an unknown.
void fork_site_refuse(struct fork_site *site, bool denied, const char *reason);

// NULL: no refusal so far. *denied: it is a denial.
const char *fork_site_refusal(const struct fork_site *site, bool *denied);
