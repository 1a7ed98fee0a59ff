// Where CPython keeps what its frames are read from. All of it: x86-64, not a debug build.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// PYTHON_ABSENT: the version has no such field.
enum { PYTHON_ABSENT = 0xffff };

enum python_lines {
  PYTHON_LNOTAB,     // 3.8 and 3.9: Objects/lnotab_notes.txt
  PYTHON_LINETABLE,  // 3.10: PEP 626
  PYTHON_LOCATIONS,  // from 3.11 on: Objects/locations.md
};

// Offsets in bytes, by the structure they are in. tests/unit/python_offsets.c compares them with
// the headers of each CPython that is installed.
struct python_layout {
  int minor;  // of 3.minor
  enum python_lines lines;
  int state_shift;        // of the kind in the state of a string
  int dict_words_before;  // of an object: where in front of it the pointer to its dict is

  uint32_t interpreters_head;  // _PyRuntimeState

  uint32_t interpreter_next;  // PyInterpreterState
  uint32_t threads_head;

  uint32_t thread_next;       // PyThreadState
  uint32_t thread_frame;      // the frame, or from 3.11 to 3.12 the _PyCFrame
  uint32_t thread_id;         // pthread_t
  uint32_t native_thread_id;  // tid

  uint32_t cframe_frame;  // _PyCFrame

  uint32_t frame_back;  // PyFrameObject, or _PyInterpreterFrame from 3.11 on
  uint32_t frame_code;
  uint32_t frame_instruction;  // the index of the instruction, or from 3.11 on its address
  uint32_t frame_line;         // set while the frame is traced
  uint32_t frame_trace;        // not NULL while frame_line counts; absent: frame_line is not 0 then
  uint32_t frame_entry;        // the outermost of its call of the evaluation function
  uint32_t frame_owner;        // PYTHON_FRAME_MARK and above: a mark

  uint32_t frame_locals;  // of a function's arguments, the first
  uint64_t frame_tag;     // a bit that does not belong to the pointer, of the code and the locals
  uint32_t frame_copy;    // which copy of the instructions it runs, 4 bytes; see instruction_copy.h

  uint32_t code_filename;  // PyCodeObject
  uint32_t code_name;      // qualified where there is such a field
  uint32_t code_first_line;
  uint32_t code_lines;
  uint32_t code_instructions;  // the instructions themselves
  uint32_t code_copies;        // pointer to the table of their copies; there is one with frame_copy

  uint32_t string_length;  // PyASCIIObject
  uint32_t string_state;
  uint32_t string_ascii;    // the characters of an ASCII string
  uint32_t string_compact;  // of another

  uint32_t bytes_length;  // PyBytesObject
  uint32_t bytes_data;

  uint32_t object_type;  // PyObject

  uint32_t
      type_name;  // PyTypeObject: a char *, and after it the size of an object without its items
  uint32_t type_flags;

  uint32_t dict_keys;  // PyDictObject
  uint32_t dict_values;

  uint32_t cached_keys;  // PyHeapTypeObject
};

// Between two calls of the evaluation function: owned by the interpreter, up to 3.13 by the C
// stack.
enum { PYTHON_FRAME_MARK = 3 };

// Where in an object of 3.8 to 3.10 the pointer to its dict is: PyTypeObject.tp_dictoffset.
enum { PYTHON_DICT_OFFSET = 288 };

// PyDictKeysObject from 3.11 on. Before, it is in no header (Objects/dict-common.h).
enum {
  PYTHON_KEYS_LOG2_INDEX_BYTES = 9,
  PYTHON_KEYS_KIND = 10,  // 0: entries of hash, key and value; else of key and value
  PYTHON_KEYS_COUNT = 24,
  PYTHON_KEYS_INDICES = 32,
};

// The layout of 3.minor, or NULL where it is not known. For 3.13 and later see
// python_layout_published() in published_layout.c.
const struct python_layout *python_layout_of(int minor);

// From 3.13 on CPython publishes a table of its offsets at the start of _PyRuntime
// (Include/internal/pycore_debug_offsets.h, _Py_DebugOffsets). `words`: its 64-bit words after the
// cookie. Fills *layout and returns NULL, or returns why the frames cannot be read.
enum { PYTHON_PUBLISHED_WORDS = 96 };
extern const char python_cookie[9];
const char *python_layout_published(const uint64_t words[PYTHON_PUBLISHED_WORDS],
                                    struct python_layout *layout);
