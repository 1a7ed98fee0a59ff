// Prints where the CPython whose headers it is compiled with has what common/cpython/layout.c says,
// and compares: one line for each field, and status 1 if one differs.
#define Py_BUILD_CORE 1
#include <Python.h>

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#if PY_VERSION_HEX >= 0x03090000
#  include <internal/pycore_interp.h>
#  include <internal/pycore_runtime.h>
#else
#  include <internal/pycore_pystate.h>
#endif
#if PY_VERSION_HEX >= 0x030b0000
#  include <internal/pycore_dict.h>
#  include <internal/pycore_frame.h>
typedef _PyInterpreterFrame Frame;
#else
#  include <frameobject.h>
typedef PyFrameObject Frame;
#endif

#include "common/cpython/layout.h"

static int differences;

static void
compare(const char *name, long ours, long theirs)
{
  printf("%s %ld\n", name, theirs);
  if (ours != theirs) {
    fprintf(stderr, "%s: %ld in the table, %ld in the headers\n", name, ours, theirs);
    differences++;
  }
}

#if defined Py_GIL_DISABLED && PY_VERSION_HEX >= 0x030e0000
#  define COPIES_OF_CODE 1
#endif

#define AT(field, type, member) compare(#field, layout->field, (long)offsetof(type, member))
#define ABSENT(field) compare(#field, layout->field, PYTHON_ABSENT)

static void
compare_frames(const struct python_layout *layout)
{
#if PY_VERSION_HEX >= 0x030d0000
  AT(thread_frame, PyThreadState, current_frame);
  AT(frame_code, Frame, f_executable);
  AT(frame_instruction, Frame, instr_ptr);
#elif PY_VERSION_HEX >= 0x030b0000
  AT(thread_frame, PyThreadState, cframe);
  AT(frame_code, Frame, f_code);
  AT(frame_instruction, Frame, prev_instr);
#else
  AT(thread_frame, PyThreadState, frame);
  AT(frame_code, Frame, f_code);
  AT(frame_instruction, Frame, f_lasti);
#endif
#if PY_VERSION_HEX >= 0x030b0000
  AT(frame_back, Frame, previous);
  AT(native_thread_id, PyThreadState, native_thread_id);
  AT(code_name, PyCodeObject, co_qualname);
  AT(code_instructions, PyCodeObject, co_code_adaptive);
  ABSENT(frame_line);
#else
  AT(frame_back, Frame, f_back);
  AT(frame_line, Frame, f_lineno);
  AT(code_name, PyCodeObject, co_name);
  ABSENT(native_thread_id);
  ABSENT(code_instructions);
#endif
#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030d0000
  AT(cframe_frame, _PyCFrame, current_frame);
#else
  ABSENT(cframe_frame);
#endif
#if PY_VERSION_HEX >= 0x030c0000
  AT(frame_owner, Frame, owner);
#  if PY_VERSION_HEX >= 0x030e0000
  compare("FRAME_OWNED_BY_INTERPRETER", 3, FRAME_OWNED_BY_INTERPRETER);
#  else
  compare("FRAME_OWNED_BY_CSTACK", 3, FRAME_OWNED_BY_CSTACK);
#  endif
#else
  ABSENT(frame_owner);
#endif
#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
  AT(frame_entry, Frame, is_entry);
#else
  ABSENT(frame_entry);
#endif
#if PY_VERSION_HEX < 0x030a0000
  AT(frame_trace, Frame, f_trace);
  AT(code_lines, PyCodeObject, co_lnotab);
#else
  ABSENT(frame_trace);
  AT(code_lines, PyCodeObject, co_linetable);
#endif
#ifdef COPIES_OF_CODE
  AT(frame_copy, Frame, tlbc_index);
  AT(code_copies, PyCodeObject, co_tlbc);
  compare("entries of _PyCodeArray", 8, offsetof(_PyCodeArray, entries));
#else
  ABSENT(frame_copy);
  ABSENT(code_copies);
#endif
}

static void
compare_objects(const struct python_layout *layout)
{
  AT(object_type, PyObject, ob_type);
  AT(type_name, PyTypeObject, tp_name);
  AT(type_flags, PyTypeObject, tp_flags);
  compare("tp_basicsize", layout->type_name + 8, offsetof(PyTypeObject, tp_basicsize));
  AT(dict_keys, PyDictObject, ma_keys);
  AT(dict_values, PyDictObject, ma_values);
#if PY_VERSION_HEX >= 0x030b0000
  AT(frame_locals, Frame, localsplus);
  AT(cached_keys, PyHeapTypeObject, ht_cached_keys);
  compare("dk_log2_index_bytes", PYTHON_KEYS_LOG2_INDEX_BYTES,
          offsetof(PyDictKeysObject, dk_log2_index_bytes));
  compare("dk_kind", PYTHON_KEYS_KIND, offsetof(PyDictKeysObject, dk_kind));
  compare("dk_nentries", PYTHON_KEYS_COUNT, offsetof(PyDictKeysObject, dk_nentries));
  compare("dk_indices", PYTHON_KEYS_INDICES, offsetof(PyDictKeysObject, dk_indices));
  compare("values", PY_VERSION_HEX >= 0x030d0000 ? 8 : 0, offsetof(PyDictValues, values));
#else
  AT(frame_locals, Frame, f_localsplus);
  compare("tp_dictoffset", PYTHON_DICT_OFFSET, offsetof(PyTypeObject, tp_dictoffset));
#endif
}

static void
compare_all(const struct python_layout *layout)
{
  AT(interpreters_head, _PyRuntimeState, interpreters.head);
  AT(interpreter_next, PyInterpreterState, next);
#if PY_VERSION_HEX >= 0x030b0000
  AT(threads_head, PyInterpreterState, threads.head);
#else
  AT(threads_head, PyInterpreterState, tstate_head);
#endif
  AT(thread_next, PyThreadState, next);
  AT(thread_id, PyThreadState, thread_id);
  compare_frames(layout);
  compare_objects(layout);
  AT(code_filename, PyCodeObject, co_filename);
  AT(code_first_line, PyCodeObject, co_firstlineno);
  AT(string_length, PyASCIIObject, length);
  AT(string_state, PyASCIIObject, state);
  compare("string_ascii", layout->string_ascii, sizeof(PyASCIIObject));
  compare("string_compact", layout->string_compact, sizeof(PyCompactUnicodeObject));
  AT(bytes_length, PyVarObject, ob_size);
  AT(bytes_data, PyBytesObject, ob_sval);
  PyASCIIObject string;
  unsigned int state;
  memset(&string, 0, sizeof string);
  string.state.kind = 1;
  memcpy(&state, &string.state, sizeof state);
  compare("state_shift", layout->state_shift, __builtin_ctz(state));
}

#if PY_VERSION_HEX >= 0x030d0000
// As CPython fills its table (the initializer is in no header), read as we read it.
static const char *
publish(struct python_layout *layout)
{
  _Py_DebugOffsets table;
  uint64_t words[PYTHON_PUBLISHED_WORDS];

  memset(&table, 0, sizeof table);
  table.version = PY_VERSION_HEX;
#  ifdef Py_GIL_DISABLED
  table.free_threaded = 1;
#  endif
  table.runtime_state.size = sizeof(_PyRuntimeState);
  table.interpreter_state.size = sizeof(PyInterpreterState);
  table.thread_state.size = sizeof(PyThreadState);
  table.interpreter_frame.size = sizeof(Frame);
  table.code_object.size = sizeof(PyCodeObject);
  table.pyobject.size = sizeof(PyObject);
  table.type_object.size = sizeof(PyTypeObject);
  table.dict_object.size = sizeof(PyDictObject);
  table.bytes_object.size = sizeof(PyBytesObject);
  table.runtime_state.interpreters_head = offsetof(_PyRuntimeState, interpreters.head);
  table.interpreter_state.next = offsetof(PyInterpreterState, next);
  table.interpreter_state.threads_head = offsetof(PyInterpreterState, threads.head);
  table.thread_state.next = offsetof(PyThreadState, next);
  table.thread_state.current_frame = offsetof(PyThreadState, current_frame);
  table.thread_state.thread_id = offsetof(PyThreadState, thread_id);
  table.thread_state.native_thread_id = offsetof(PyThreadState, native_thread_id);
  table.interpreter_frame.previous = offsetof(Frame, previous);
  table.interpreter_frame.executable = offsetof(Frame, f_executable);
  table.interpreter_frame.instr_ptr = offsetof(Frame, instr_ptr);
  table.interpreter_frame.localsplus = offsetof(Frame, localsplus);
  table.interpreter_frame.owner = offsetof(Frame, owner);
  table.code_object.filename = offsetof(PyCodeObject, co_filename);
  table.code_object.qualname = offsetof(PyCodeObject, co_qualname);
  table.code_object.linetable = offsetof(PyCodeObject, co_linetable);
  table.code_object.firstlineno = offsetof(PyCodeObject, co_firstlineno);
  table.code_object.co_code_adaptive = offsetof(PyCodeObject, co_code_adaptive);
#  ifdef COPIES_OF_CODE
  table.interpreter_frame.tlbc_index = offsetof(Frame, tlbc_index);
  table.code_object.co_tlbc = offsetof(PyCodeObject, co_tlbc);
#  endif
  table.pyobject.ob_type = offsetof(PyObject, ob_type);
  table.type_object.tp_name = offsetof(PyTypeObject, tp_name);
  table.type_object.tp_flags = offsetof(PyTypeObject, tp_flags);
  table.dict_object.ma_keys = offsetof(PyDictObject, ma_keys);
  table.dict_object.ma_values = offsetof(PyDictObject, ma_values);
  table.bytes_object.ob_size = offsetof(PyVarObject, ob_size);
  table.bytes_object.ob_sval = offsetof(PyBytesObject, ob_sval);
  table.unicode_object.size = sizeof(PyUnicodeObject);
  table.unicode_object.state = offsetof(PyASCIIObject, state);
  table.unicode_object.length = offsetof(PyASCIIObject, length);
  table.unicode_object.asciiobject_size = sizeof(PyASCIIObject);
  memset(words, 0xff, sizeof words);
  size_t size = sizeof table - sizeof table.cookie;
  memcpy(words, &table.version, size < sizeof words ? size : sizeof words);
  return python_layout_published(words, layout);
}
#endif

int
main(void)
{
  const struct python_layout *layout = python_layout_of(PY_MINOR_VERSION);
#if PY_VERSION_HEX >= 0x030d0000
  static struct python_layout published;
  const char *why = publish(&published);
  if (why) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  layout = &published;
#endif
  if (!layout) {
    fprintf(stderr, "no table for 3.%d\n", PY_MINOR_VERSION);
    return 1;
  }
  compare_all(layout);
  return differences > 0;
}
