// What libdwfl may open: regular files only, and nothing from the network.
#pragma once

#include <elfutils/libdwfl.h>

// For modules that dwfl_report_elf() is given.
extern const Dwfl_Callbacks debug_files_callbacks;

// For dwfl_standard_find_debuginfo(), after a look at what it will open.
int debug_files_find_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                               const char *file, const char *link, GElf_Word sum, char **found);
// Where libdwfl looks for debug information.
extern char *debug_files_path;
