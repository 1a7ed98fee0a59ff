// What the sites file and the built-in list say of a site.
#pragma once

#include "common/config/site_rules.h"

// The rule that holds for it; its verdict is SITE_NONE where there is none. The file is read at the
// first call, and a bad line is named on stderr. One thread at a time.
struct site_rule redirect_rules_find(const char *module, uint64_t offset, const char *function);
