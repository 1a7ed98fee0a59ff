#include "layout.h"

#include <stddef.h>

#define OBJECTS(ascii, compact)                                                                    \
  .string_length = 16, .string_state = 32, .string_ascii = ascii, .string_compact = compact,       \
  .state_shift = 2, .bytes_length = 16, .bytes_data = 32, .object_type = 8,                        \
  .frame_copy = PYTHON_ABSENT, .code_copies = PYTHON_ABSENT, .dict_words_before = 3,               \
  .type_name = 24, .type_flags = 168, .dict_keys = 32, .dict_values = 40

// What 3.8 to 3.10 have in common.
#define FRAME_OBJECTS                                                                              \
  .interpreters_head = 32, .interpreter_next = 0, .threads_head = 8, .thread_next = 8,             \
  .thread_frame = 24, .thread_id = 176, .native_thread_id = PYTHON_ABSENT,                         \
  .cframe_frame = PYTHON_ABSENT, .frame_back = 24, .frame_code = 32, .frame_entry = PYTHON_ABSENT, \
  .frame_owner = PYTHON_ABSENT, .code_filename = 104, .code_name = 112, .code_first_line = 40,     \
  .code_lines = 120, .code_instructions = PYTHON_ABSENT, OBJECTS(48, 72)

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
     OBJECTS(48, 72)},
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
     OBJECTS(40, 56)},
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
