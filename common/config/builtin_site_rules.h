// The functions that are known to be written for a child that borrows its parent's memory, from
// their sources.
#pragma once

#include <stdbool.h>

struct text;

// Why a fork of this function may be redirected, or NULL.
const char *sites_known(const char *module, const char *function);

// What redirect=help prints: the modes, and this list.
void sites_help(struct text *t);
