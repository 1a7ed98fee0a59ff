// The verdict on one lesson and its reason, which the lesson gets: of several denials the first one
// counts, and a denial before what cannot be known.
#pragma once

#include "footprint/child_memory.h"

#include <stdint.h>

struct judgement {
  struct notes *notes;
  enum lesson_verdict verdict;
  uint64_t stack_low;  // of the mapping of the own stack
};

void judgement_deny(struct judgement *j, const char *reason);
// For a write to the data of a file: `how`, then the place in it.
void judgement_deny_data(struct judgement *j, uint64_t address, const char *path, const char *how);
// For one that changed nothing.
void judgement_deny_same(struct judgement *j, uint64_t page, const char *path);
// For one to a page of which there is no copy.
void judgement_deny_memory(struct judgement *j, uint64_t address);
void judgement_unknown(struct judgement *j, const char *reason);
