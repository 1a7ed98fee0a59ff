// What was learned of the places that fork, and the file that keeps it.
#pragma once

#include "common/config/site_rules.h"

#include <jansson.h>
#include <stdio.h>

struct learned {
  struct site_rule *sites;
  size_t count;
};

// Takes a `redirect` event in; others than of action "learned" are left alone.
void learned_add(struct learned *learned, const json_t *event);
void learned_free(struct learned *learned);

// A line for each site with its verdict and reason, if `verbose`, and one that counts them.
// Nothing if there are none.
void learned_print(const struct learned *learned, FILE *out, bool verbose);

// Names the bad lines of the file on stderr. A file that is not there is none.
void learned_check_file(const char *path);

// Writes what was learned into the file: lines of earlier runs are brought up to date in their
// place, new ones come at the end; all others stay as they are, and sites they speak of are left to
// them. The file is replaced at once.
void learned_write_file(const struct learned *learned, const char *path);
