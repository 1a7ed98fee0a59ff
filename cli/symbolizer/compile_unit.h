// Which compile unit of a module an address of code belongs to.
#pragma once

#include <elfutils/libdwfl.h>

// The ranges of all units of a module, sorted; made at the first question that libdw's own table
// (.debug_aranges, which clang and Go do not write) has no right answer to.
struct unit_ranges;

// The unit, or NULL; *bias as of dwfl_module_addrdie(). `*ranges` is NULL at first, and to be
// freed with the module.
Dwarf_Die *compile_unit(Dwfl_Module *module, struct unit_ranges **ranges, Dwarf_Addr address,
                        Dwarf_Addr *bias);
void unit_ranges_free(struct unit_ranges *ranges);
