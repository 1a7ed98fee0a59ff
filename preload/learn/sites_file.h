// The option `sites`, where the library runs without the command: that one writes the file itself.
#pragma once

#include "common/config/site_rules.h"

// Appends the rule in one write, unless a line says the same of the site already, or speaks of it
// by hand. A file that cannot be written is named by one line on stderr. No locks, no allocation
// but mmap; errno is unchanged.
void sites_file_add(const struct site_rule *rule);
