// What the sites file and the built-in list say of a site.
#pragma once

#include "sites.h"

#include <stddef.h>

// The verdict and its reason. *exact: it is of a line with an offset. The file is read at the first call; a bad line is named on stderr.
enum site_verdict redirect_rules_verdict(const char *module, uint64_t offset, const char *function,
                                         char *reason, size_t size, bool *exact);
