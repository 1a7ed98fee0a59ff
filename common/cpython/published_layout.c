#include "layout.h"

#include <stddef.h>
#include <string.h>

const char python_cookie[9] = "xdebugpy";

// No structure of CPython is larger; PyInterpreterState has some hundred KiB.
enum { OLDEST = 13, VERSIONS = 3, PLAUSIBLE = 1 << 20 };

enum { VERSION = 0, FREE_THREADED = 1 };

#define NONE                                                                                       \
  {                                                                                                \
    VERSION, VERSION                                                                               \
  }

// A word of the table that is an offset, and the one that is the size of its structure.
struct place {
  unsigned char size, word;
};

// Each version adds fields between the old ones: where the offsets are in 3.13, 3.14 and 3.15.
static const struct {
  size_t to;  // in struct python_layout
  struct place at[VERSIONS];
} published[] = {
#define OFFSET(field, ...)                                                                         \
  {                                                                                                \
    offsetof(struct python_layout, field),                                                         \
    {                                                                                              \
      __VA_ARGS__                                                                                  \
    }                                                                                              \
  }
    OFFSET(interpreters_head, {2, 4}, {2, 4}, {2, 4}),
    OFFSET(interpreter_next, {5, 7}, {5, 7}, {5, 7}),
    OFFSET(threads_head, {5, 8}, {5, 8}, {5, 8}),
    OFFSET(thread_next, {18, 20}, {21, 23}, {21, 23}),
    OFFSET(thread_frame, {18, 22}, {21, 25}, {21, 25}),
    OFFSET(thread_id, {18, 23}, {21, 26}, {21, 29}),
    OFFSET(native_thread_id, {18, 24}, {21, 27}, {21, 30}),
    OFFSET(frame_back, {27, 28}, {30, 31}, {38, 39}),
    OFFSET(frame_code, {27, 29}, {30, 32}, {38, 40}),
    OFFSET(frame_instruction, {27, 30}, {30, 33}, {38, 41}),
    OFFSET(frame_locals, {27, 31}, {30, 34}, {38, 42}),
    OFFSET(frame_owner, {27, 32}, {30, 35}, {38, 43}),
    OFFSET(frame_copy, NONE, {30, 37}, {38, 45}),
    OFFSET(code_filename, {33, 34}, {38, 39}, {46, 47}),
    OFFSET(code_name, {33, 36}, {38, 41}, {46, 49}),
    OFFSET(code_lines, {33, 37}, {38, 42}, {46, 50}),
    OFFSET(code_first_line, {33, 38}, {38, 43}, {46, 51}),
    OFFSET(code_instructions, {33, 42}, {38, 47}, {46, 55}),
    OFFSET(code_copies, NONE, {38, 48}, {46, 56}),
    OFFSET(object_type, {43, 44}, {49, 50}, {57, 58}),
    OFFSET(type_name, {45, 46}, {51, 52}, {59, 60}),
    OFFSET(type_flags, {45, 48}, {51, 54}, {59, 62}),
    OFFSET(dict_keys, {55, 56}, {65, 66}, {77, 78}),
    OFFSET(dict_values, {55, 57}, {65, 67}, {77, 79}),
    OFFSET(bytes_length, {63, 64}, {73, 74}, {85, 86}),
    OFFSET(bytes_data, {63, 65}, {73, 75}, {85, 87}),
    OFFSET(string_state, {66, 67}, {76, 77}, {88, 89}),
    OFFSET(string_length, {66, 68}, {76, 78}, {88, 90}),
    OFFSET(string_ascii, {66, 69}, {76, 79}, {88, 91}),
};

// What is not in the table of each version, or not in each of them.
static const struct {
  unsigned char object_size, string_size;  // words
  uint32_t cached_keys;
} unpublished[VERSIONS] = {{43, 66, 880}, {49, 76, 880}, {57, 88, 888}};

static bool
take(const uint64_t *words, size_t version, struct python_layout *layout)
{
  for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
    const struct place *at = &published[i].at[version];
    uint32_t offset = (uint32_t)words[at->word];
    if (at->word == VERSION)
      continue;
    if (words[at->size] > PLAUSIBLE || words[at->word] >= words[at->size])
      return false;
    memcpy((unsigned char *)layout + published[i].to, &offset, sizeof offset);
  }
  return true;
}

const char *
python_layout_published(const uint64_t words[PYTHON_PUBLISHED_WORDS], struct python_layout *layout)
{
  enum { OBJECT_SIZE = 16, FREE_THREADED_OBJECT_SIZE = 32 };
  static const char implausible[] = "the offsets that CPython publishes are not plausible";

  if (words[VERSION] >> 24 != 3 || words[VERSION] >> 32 != 0)
    return "the version that CPython publishes is not plausible";
  bool free_threaded = words[FREE_THREADED];
  size_t minor = words[VERSION] >> 16 & 0xff, version = minor - OLDEST;
  if (version >= VERSIONS)
    return "Python frames are read from CPython 3.8 to 3.15 only";
  bool copies = free_threaded && minor >= 14;
  size_t object_size = free_threaded ? FREE_THREADED_OBJECT_SIZE : OBJECT_SIZE;
  *layout = (struct python_layout){
      .minor = (int)minor,
      .lines = PYTHON_LOCATIONS,
      .state_shift = copies ? 8 : 2,
      .dict_words_before = free_threaded ? 1 : 3,
      .frame_tag = minor >= 14,
      .cframe_frame = PYTHON_ABSENT,
      .frame_line = PYTHON_ABSENT,
      .frame_trace = PYTHON_ABSENT,
      .frame_entry = PYTHON_ABSENT,
      .cached_keys = (uint32_t)(unpublished[version].cached_keys + object_size - OBJECT_SIZE),
  };
  // PyUnicodeObject is a PyCompactUnicodeObject and one pointer.
  uint64_t string_size = words[unpublished[version].string_size];
  if (!take(words, version, layout) || words[unpublished[version].object_size] != object_size)
    return implausible;
  if (!copies)
    layout->frame_copy = layout->code_copies = PYTHON_ABSENT;
  layout->string_compact = (uint32_t)(string_size - sizeof(void *));
  return NULL;
}
