#include "reader_internal.h"

#include <string.h>

// What CPython calls them as symbols, and in themselves.
static const struct {
  const char *symbol, *name;
} types[PYTHON_TYPES] = {
    [PYTHON_CODE] = {"PyCode_Type", "code"},    [PYTHON_STRING] = {"PyUnicode_Type", "str"},
    [PYTHON_BYTES] = {"PyBytes_Type", "bytes"}, [PYTHON_DICT] = {"PyDict_Type", "dict"},
    [PYTHON_FRAME] = {"PyFrame_Type", "frame"},
};

void
python_find_types(struct python *p)
{
  for (int i = 0; i < PYTHON_TYPES; i++)
    p->types[i] = python_symbol(p, types[i].symbol);
}

// A program's own types of that name are heap types.
static bool
is_named(struct python *p, uint64_t type, const char *name)
{
  enum { HEAP_TYPE = 1 << 9, MOST_NAME = 8 };
  uint64_t flags, text = pages_pointer(&p->pages, type + p->layout.type_name);
  size_t length = strlen(name) + 1;
  char its[MOST_NAME];

  return pages_read(&p->pages, type + p->layout.type_flags, &flags, sizeof flags) &&
         !(flags & HEAP_TYPE) && length <= sizeof its && pages_read(&p->pages, text, its, length) &&
         memcmp(its, name, length) == 0;
}

bool
python_has_type(struct python *p, uint64_t object, enum python_type type)
{
  uint64_t its =
      object % sizeof object == 0 ? pages_pointer(&p->pages, object + p->layout.object_type) : 0;

  if (its && !p->types[type] && is_named(p, its, types[type].name))
    p->types[type] = its;
  return its && its == p->types[type];
}
