#include "python_layout.h"

#include <stddef.h>

const char python_cookie[9] = "xdebugpy";

#define STRINGS(ascii, compact)                                                                    \
  .string_length = 16, .string_state = 32, .string_ascii = ascii, .string_compact = compact,       \
  .state_shift = 2, .bytes_length = 16, .bytes_data = 32

// What 3.8 to 3.10 have in common.
#define FRAME_OBJECTS                                                                              \
  .interpreters_head = 32, .interpreter_next = 0, .threads_head = 8, .thread_next = 8,             \
  .thread_frame = 24, .thread_id = 176, .native_thread_id = PYTHON_ABSENT,                         \
  .cframe_frame = PYTHON_ABSENT, .frame_back = 24, .frame_code = 32, .frame_entry = PYTHON_ABSENT, \
  .frame_owner = PYTHON_ABSENT, .code_filename = 104, .code_name = 112, .code_first_line = 40,     \
  .code_lines = 120, .code_instructions = PYTHON_ABSENT, STRINGS(48, 72)

static const struct python_layout layouts[] = {
    {.minor = 8,
     .lines = PYTHON_LNOTAB,
     FRAME_OBJECTS,
     .frame_trace = 80,
     .frame_instruction = 104,
     .frame_line = 108,
     .frame_locals = 360},
    {.minor = 9,
     .lines = PYTHON_LNOTAB,
     FRAME_OBJECTS,
     .frame_trace = 80,
     .frame_instruction = 104,
     .frame_line = 108,
     .frame_locals = 360},
    {.minor = 10,
     .lines = PYTHON_LINETABLE,
     FRAME_OBJECTS,
     .frame_trace = PYTHON_ABSENT,
     .frame_instruction = 96,
     .frame_line = 100,
     .frame_locals = 352},
    {.minor = 11,
     .lines = PYTHON_LOCATIONS,
     .interpreters_head = 40,
     .interpreter_next = 0,
     .threads_head = 16,
     .thread_next = 8,
     .thread_frame = 56,
     .thread_id = 152,
     .native_thread_id = 160,
     .cframe_frame = 8,
     .frame_back = 48,
     .frame_code = 32,
     .frame_instruction = 56,
     .frame_line = PYTHON_ABSENT,
     .frame_trace = PYTHON_ABSENT,
     .frame_entry = 68,
     .frame_owner = PYTHON_ABSENT,
     .code_filename = 112,
     .code_name = 128,
     .code_first_line = 72,
     .code_lines = 136,
     .code_instructions = 184,
     .frame_locals = 72,
     .cached_keys = 872,
     STRINGS(48, 72)},
    {.minor = 12,
     .lines = PYTHON_LOCATIONS,
     .interpreters_head = 40,
     .interpreter_next = 0,
     .threads_head = 72,
     .thread_next = 8,
     .thread_frame = 56,
     .thread_id = 136,
     .native_thread_id = 144,
     .cframe_frame = 0,
     .frame_back = 8,
     .frame_code = 0,
     .frame_instruction = 56,
     .frame_line = PYTHON_ABSENT,
     .frame_trace = PYTHON_ABSENT,
     .frame_entry = PYTHON_ABSENT,
     .frame_owner = 70,
     .code_filename = 112,
     .code_name = 128,
     .code_first_line = 68,
     .code_lines = 136,
     .code_instructions = 192,
     .frame_locals = 72,
     .cached_keys = 880,
     STRINGS(40, 56)},
};

const struct python_layout *
python_layout_of(int minor)
{
  for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
    if (layouts[i].minor == minor)
      return &layouts[i];
  }
  return NULL;
}

// Where 3.13's table has what, in words after the cookie.
enum published {
  VERSION = 0,
  FREE_THREADED = 1,
  INTERPRETERS_HEAD = 4,
  INTERPRETER_NEXT = 7,
  THREADS_HEAD = 8,
  THREAD_NEXT = 20,
  CURRENT_FRAME = 22,
  THREAD_ID = 23,
  NATIVE_THREAD_ID = 24,
  FRAME_PREVIOUS = 28,
  EXECUTABLE = 29,
  INSTR_PTR = 30,
  LOCALSPLUS = 31,
  OWNER = 32,
  FILENAME = 34,
  QUALNAME = 36,
  LINETABLE = 37,
  FIRSTLINENO = 38,
  CO_CODE_ADAPTIVE = 42,
  BYTES_SIZE = 64,
  BYTES_SVAL = 65,
  STRING_SIZE = 66,
  STRING_STATE = 67,
  STRING_LENGTH = 68,
  ASCII_SIZE = 69,
};

// No structure of CPython is larger; PyInterpreterState has some hundred KiB.
enum { PLAUSIBLE = 1 << 20 };

static bool
take(const uint64_t *words, enum published word, uint32_t *offset)
{
  *offset = (uint32_t)words[word];
  return words[word] < PLAUSIBLE;
}

const char *
python_layout_published(const uint64_t words[PYTHON_PUBLISHED_WORDS], struct python_layout *layout)
{
  if (words[VERSION] >> 24 != 3 || words[VERSION] >> 32 != 0)
    return "the version that CPython publishes is not plausible";
  if (words[FREE_THREADED])
    return "Python frames are not read from free-threaded CPython";
  if ((words[VERSION] >> 16 & 0xff) != 13)
    return "Python frames are read from CPython 3.8 to 3.13 only";
  *layout = (struct python_layout){
      .minor = 13,
      .lines = PYTHON_LOCATIONS,
      .state_shift = 2,
      .cached_keys = 880,  // not published
      .cframe_frame = PYTHON_ABSENT,
      .frame_line = PYTHON_ABSENT,
      .frame_trace = PYTHON_ABSENT,
      .frame_entry = PYTHON_ABSENT,
  };
  bool plausible =
      take(words, INTERPRETERS_HEAD, &layout->interpreters_head) &&
      take(words, INTERPRETER_NEXT, &layout->interpreter_next) &&
      take(words, THREADS_HEAD, &layout->threads_head) &&
      take(words, THREAD_NEXT, &layout->thread_next) &&
      take(words, CURRENT_FRAME, &layout->thread_frame) &&
      take(words, THREAD_ID, &layout->thread_id) &&
      take(words, NATIVE_THREAD_ID, &layout->native_thread_id) &&
      take(words, FRAME_PREVIOUS, &layout->frame_back) &&
      take(words, EXECUTABLE, &layout->frame_code) &&
      take(words, INSTR_PTR, &layout->frame_instruction) &&
      take(words, LOCALSPLUS, &layout->frame_locals) && take(words, OWNER, &layout->frame_owner) &&
      take(words, FILENAME, &layout->code_filename) && take(words, QUALNAME, &layout->code_name) &&
      take(words, LINETABLE, &layout->code_lines) &&
      take(words, FIRSTLINENO, &layout->code_first_line) &&
      take(words, CO_CODE_ADAPTIVE, &layout->code_instructions) &&
      take(words, STRING_STATE, &layout->string_state) &&
      take(words, STRING_LENGTH, &layout->string_length) &&
      take(words, ASCII_SIZE, &layout->string_ascii) &&
      take(words, BYTES_SIZE, &layout->bytes_length) &&
      take(words, BYTES_SVAL, &layout->bytes_data);
  // PyUnicodeObject is a PyCompactUnicodeObject and one pointer.
  uint32_t string_size;
  plausible = plausible && take(words, STRING_SIZE, &string_size) && string_size > sizeof(void *);
  if (!plausible)
    return "the offsets that CPython publishes are not plausible";
  layout->string_compact = string_size - (uint32_t)sizeof(void *);
  return NULL;
}
