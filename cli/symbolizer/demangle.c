#include "demangle.h"
#include "base/message.h"

#include <libiberty/demangle.h>

// Rust first: its older names are C++ ones with a hash at the end. Not cplus_demangle(), which
// tries both: it comes with functions that are called as ours are.
char *
demangled(const char *symbol)
{
  enum { OPTIONS = DMGL_PARAMS | DMGL_ANSI };
  char *name = rust_demangle(symbol, OPTIONS);
  if (!name)
    name = cplus_demangle_v3(symbol, OPTIONS);
  return name ? name : xstrdup(symbol);
}
