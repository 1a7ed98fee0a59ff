#include "reader_internal.h"

#include <string.h>

// A dict has its entries in its keys, or shares the keys with others and has values of its own, and
// so has an object without a dict (PEP 412).
struct attributes {
  uint64_t keys;
  uint64_t values;  // 0: in the keys
};

enum { WORD = sizeof(uint64_t), MOST_ATTRIBUTES = 256 };

static bool
attributes_of_dict(struct python *p, uint64_t dict, struct attributes *attributes)
{
  if (!python_has_type(p, dict, PYTHON_DICT))
    return false;
  attributes->keys = pages_pointer(&p->pages, dict + p->layout.dict_keys);
  attributes->values = pages_pointer(&p->pages, dict + p->layout.dict_values);
  // From 3.13 on the values begin with four bytes, padded.
  if (p->layout.minor >= 13 && attributes->values)
    attributes->values += WORD;
  return attributes->keys != 0;
}

// The values of an object without a dict, 0 where it has one (Include/internal/pycore_object.h).
static uint64_t
own_values(struct python *p, uint64_t object, uint64_t type, uint64_t flags)
{
  enum { INLINE_VALUES = 1 << 2, VALID = 3 };
  unsigned char valid;

  if (p->layout.minor == 11)
    return pages_pointer(&p->pages, object - 4 * WORD);
  if (p->layout.minor == 12) {
    uint64_t either = pages_pointer(&p->pages, object - 3 * WORD);
    return either & 1 ? either + 1 : 0;
  }
  uint64_t values = object + pages_pointer(&p->pages, type + p->layout.type_name + WORD);
  return flags & INLINE_VALUES && pages_read(&p->pages, values + VALID, &valid, 1) && valid
             ? values + WORD
             : 0;
}

static bool
attributes_of(struct python *p, uint64_t object, struct attributes *attributes)
{
  enum { MANAGED_DICT = 1 << 4, MOST_OFFSET = 4096 };
  uint64_t type = pages_pointer(&p->pages, object + p->layout.object_type);

  if (p->layout.minor <= 10) {
    uint64_t offset = pages_pointer(&p->pages, type + PYTHON_DICT_OFFSET);
    return offset && offset < MOST_OFFSET &&
           attributes_of_dict(p, pages_pointer(&p->pages, object + offset), attributes);
  }
  uint64_t flags = pages_pointer(&p->pages, type + p->layout.type_flags);
  if (!(flags & MANAGED_DICT))
    return false;
  attributes->values = own_values(p, object, type, flags);
  uint64_t dict_before = (uint64_t)p->layout.dict_words_before * WORD;
  if (!attributes->values)
    return attributes_of_dict(p, pages_pointer(&p->pages, object - dict_before), attributes);
  attributes->keys = pages_pointer(&p->pages, type + p->layout.cached_keys);
  return attributes->keys != 0;
}

// Where the entries of the keys are, how many there are, and how long each is.
struct entries {
  uint64_t first, count, length, key;
};

static bool
entries_of_keys(struct python *p, uint64_t keys, struct entries *entries)
{
  unsigned char log2_bytes, kind;

  if (p->layout.minor <= 10) {
    enum { SIZE = 8, COUNT = 32, INDICES = 40 };
    uint64_t size = pages_pointer(&p->pages, keys + SIZE);
    size_t index = size <= 0xff ? 1 : size <= 0xffff ? 2 : 4;
    entries->count = pages_pointer(&p->pages, keys + COUNT);
    entries->first = keys + INDICES + size * index;
    entries->length = 3 * WORD;
    entries->key = WORD;
    return size < 1 << 16;
  }
  if (!pages_read(&p->pages, keys + PYTHON_KEYS_LOG2_INDEX_BYTES, &log2_bytes, 1) ||
      !pages_read(&p->pages, keys + PYTHON_KEYS_KIND, &kind, 1) || log2_bytes > 20)
    return false;
  entries->count = pages_pointer(&p->pages, keys + PYTHON_KEYS_COUNT);
  entries->first = keys + PYTHON_KEYS_INDICES + (1ul << log2_bytes);
  entries->length = kind == 0 ? 3 * WORD : 2 * WORD;
  entries->key = kind == 0 ? WORD : 0;
  return true;
}

// Which entry of the keys is the attribute's, -1 where none is.
static int
index_of(struct python *p, const struct entries *entries, const char *name)
{
  for (uint64_t i = 0; i < entries->count && i < MOST_ATTRIBUTES; i++) {
    size_t text_used = p->text_used;
    const char *key = python_text(
        p, pages_pointer(&p->pages, entries->first + i * entries->length + entries->key));
    bool found = key && strcmp(key, name) == 0;
    p->text_used = text_used;
    if (found)
      return (int)i;
  }
  return -1;
}

static uint64_t
name_of(struct python *p, uint64_t thread)
{
  struct attributes attributes;
  struct entries entries;

  if (!attributes_of(p, thread, &attributes) || !entries_of_keys(p, attributes.keys, &entries))
    return 0;
  if (attributes.keys != p->thread_keys) {
    p->thread_keys = attributes.keys;
    p->name_index = index_of(p, &entries, "_name");
  }
  if (p->name_index < 0)
    return 0;
  uint64_t i = (uint64_t)p->name_index;
  return pages_pointer(&p->pages, attributes.values
                                      ? attributes.values + i * WORD
                                      : entries.first + i * entries.length + entries.key + WORD);
}

// threading.Thread runs its thread in a method of that name, whose first argument is the Thread.
const char *
python_thread_name(struct python *p)
{
  const struct python_frame *frame = &p->outermost;
  static const char method[] = "_bootstrap", file[] = "/threading.py";

  if (!p->outermost_address)
    return NULL;
  size_t f = strlen(frame->function), n = strlen(frame->file);
  if (f < sizeof method - 1 || strcmp(frame->function + f - (sizeof method - 1), method) != 0 ||
      n < sizeof file - 1 || strcmp(frame->file + n - (sizeof file - 1), file) != 0)
    return NULL;
  uint64_t thread = pages_pointer(&p->pages, p->outermost_address + p->layout.frame_locals) &
                    ~p->layout.frame_tag;
  return thread % WORD == 0 ? python_text(p, name_of(p, thread)) : NULL;
}
