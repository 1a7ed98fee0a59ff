// What --help prints.
#pragma once

#include <stdbool.h>

// The whole help, also of the subcommands: NULL is the general one. False if there is no such
// topic.
bool print_help(const char *topic);

// Of --redirect=help: the places that are known.
void print_redirect_help(void);
