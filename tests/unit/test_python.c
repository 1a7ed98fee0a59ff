// The reader over made-up processes: one for each version, whole, then with bytes changed.
#include "common/cpython/reader.h"

#include "common/cpython/layout.h"
#include "python_published.h"
#include "common/cpython/fork_record.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  BASE = 0x10000000,
  SIZE = 0x18000,
  DYNAMIC = 0x200,
  HASH = 0x400,
  SYMBOLS = 0x800,
  STRINGS = 0x1000,
  HEX_VERSION = 0x1800,
  TID_DESCRIPTION = 0x1940,
  EVALUATION = 0x1a00,
  EVALUATION_BYTES = 32,
  APART = 0x1b00,
  APART_BYTES = 0x40,
  FRAME_TABLE = 0x1c00,
  RUNTIME = 0x2000,
  STATES = 0x4000,
  STATE_BYTES = 0x400,
  CFRAMES = 0x5000,
  DESCRIPTORS = 0x5800,
  FRAMES = 0x6000,
  FRAME_BYTES = 0x200,
  CODES = 0x8000,
  CODE_BYTES = 0x200,
  OBJECTS = 0xa000,
  OBJECT_BYTES = 0x100,
  THREAD = 0xb800,
  TYPE = 0xc000,
  KEYS = 0xd000,
  VALUES = 0xd800,
  KEY = 0xe000,
  NAME = 0xe100,
  DICT = 0xe200,
  CODE_TYPE = 0xf000,
  STRING_TYPE = 0xf200,
  BYTES_TYPE = 0xf400,
  FRAME_TYPE = 0xf600,
  DICT_TYPE = 0xf800,
  TYPE_NAMES = 0xfa00,
  COPIES = 0xe400,
  COPY = 0xe600,
  INTERPRETER = 0x10000,
  SPREAD = 0x12000,  // pages for one frame each
  TID_OFFSET = 0x2d0,
  THREADS = 2,
  DEPTH = 3,
  FIRST_TID = 100,
  OLDEST = 8,          // of 3.N
  FREE_THREADED = 16,  // 3.13 and so on
  NEWEST = FREE_THREADED + 2,
};

static int
minor_of(int version)
{
  return version >= FREE_THREADED ? version - FREE_THREADED + 13 : version;
}

static unsigned char image[SIZE];
static int reads, reads_of_spread;

static unsigned int seed = 20;

static unsigned int
any(void)
{
  return (seed = seed * 1103515245 + 12345) >> 8;
}

// Of a process that goes on while it is read: how many reads of 1,000 find another byte.
static unsigned int changing;

static void
read_image(void *context, const uint64_t *addresses, size_t length, int count, void *to,
           bool *there)
{
  (void)context;
  reads_of_spread += addresses[0] - BASE >= SPREAD;
  for (int i = 0; i < count; i++) {
    reads++;
    unsigned char *bytes = (unsigned char *)to + (size_t)i * length;
    there[i] = length <= SIZE && addresses[i] >= BASE && addresses[i] - BASE <= SIZE - length;
    if (there[i])
      memcpy(bytes, image + (addresses[i] - BASE), length);
    if (there[i] && any() % 1000 < changing)
      bytes[any() % length] = (unsigned char)any();
  }
}

static void
put(uint32_t at, uint64_t value, size_t size)
{
  cr_assert(at + size <= SIZE);
  memcpy(image + at, &value, size);
}

static void
put_pointer(uint32_t at, uint32_t to)
{
  put(at, to ? BASE + (uint64_t)to : 0, 8);
}

static const struct {
  const char *name;
  uint32_t value;
  int first, last;  // minor versions that have it
} symbols[] = {
    {"_PyRuntime", RUNTIME, 8, 15},
    {"Py_Version", HEX_VERSION, 11, 15},
    {"Py_NewRef", 0x1950, 10, 15},
    {"PyFrame_GetCode", 0x1950, 9, 15},
    {"PyInterpreterState_GetDict", 0x1950, 8, 15},
    {"PyCode_Type", CODE_TYPE, 8, 15},
    {"PyUnicode_Type", STRING_TYPE, 8, 15},
    {"PyBytes_Type", BYTES_TYPE, 8, 15},
    {"PyFrame_Type", FRAME_TYPE, 8, 15},
    {"PyDict_Type", DICT_TYPE, 8, 15},
    {"_PyEval_EvalFrameDefault", EVALUATION, 8, 15},
    {"_thread_db_pthread_tid", TID_DESCRIPTION, 8, 15},
};

static uint32_t
hash_of(const char *name)
{
  uint32_t hash = 5381;

  for (; *name; name++)
    hash = hash * 33 + (unsigned char)*name;
  return hash;
}

// One bucket, and a filter that lets all through.
static void
put_module(int minor)
{
  Elf64_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64},
                       .e_phoff = sizeof header,
                       .e_phentsize = sizeof(Elf64_Phdr),
                       .e_phnum = 3};
  Elf64_Phdr segments[] = {{.p_type = PT_LOAD},
                           {.p_type = PT_DYNAMIC, .p_vaddr = DYNAMIC},
                           {.p_type = PT_GNU_EH_FRAME, .p_vaddr = FRAME_TABLE}};
  Elf64_Dyn dynamic[] = {
      {DT_GNU_HASH, {HASH}}, {DT_SYMTAB, {SYMBOLS}}, {DT_STRTAB, {BASE + STRINGS}}, {DT_NULL, {0}}};
  uint32_t table[] = {1, 1, 1, 0}, count = 0, text = 1;

  memcpy(image, &header, sizeof header);
  memcpy(image + sizeof header, segments, sizeof segments);
  memcpy(image + DYNAMIC, dynamic, sizeof dynamic);
  memcpy(image + HASH, table, sizeof table);
  put(HASH + 16, UINT64_MAX, 8);
  put(HASH + 24, 1, 4);
  for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
    if (minor < symbols[i].first || minor > symbols[i].last)
      continue;
    Elf64_Sym symbol = {
        .st_name = text, .st_shndx = 1, .st_value = symbols[i].value, .st_size = EVALUATION_BYTES};
    count++;
    put(HASH + 24 + 4 * count, hash_of(symbols[i].name) & ~1u, 4);
    memcpy(image + SYMBOLS + count * sizeof symbol, &symbol, sizeof symbol);
    strcpy((char *)image + STRINGS + text, symbols[i].name);
    text += (uint32_t)strlen(symbols[i].name) + 1;
  }
  image[HASH + 24 + 4 * count] |= 1;
}

static const struct python_layout *
put_published(int version)
{
  static struct python_layout layout;
  const uint64_t *words = published[version - 13];

  memcpy(image + RUNTIME, python_cookie, 8);
  memcpy(image + RUNTIME + 8, words, sizeof published[0]);
  cr_assert_null(python_layout_published(words, &layout));
  return &layout;
}

static void
put_string(const struct python_layout *l, uint32_t at, int width, bool ascii,
           const void *characters, uint32_t count)
{
  put_pointer(at + l->object_type, STRING_TYPE);
  put(at + l->string_length, count, 8);
  put(at + l->string_state, ((uint64_t)width | 1 << 3 | (uint64_t)ascii << 4) << l->state_shift, 4);
  memcpy(image + at + (ascii ? l->string_ascii : l->string_compact), characters,
         count * (size_t)width);
}

// One line further on every instruction, in each format.
static const unsigned char tables[][6] = {
    [PYTHON_LNOTAB] = {2, 1, 2, 1, 2, 1},
    [PYTHON_LINETABLE] = {2, 0, 2, 1, 2, 1},
    [PYTHON_LOCATIONS] = {0x80 | 10 << 3, 0, 0x80 | 11 << 3, 0, 0x80 | 11 << 3, 0},
};

// The outermost function is that of threading.Thread.
static const char *const functions[DEPTH] = {"functionA", "functionB", "Thread._bootstrap"};
static const char *const files[DEPTH] = {"/\xe4\xb8\xad.py", "/\xe4\xb8\xad.py", "/threading.py"};

static void
put_code(const struct python_layout *l, int number)
{
  static const uint16_t file[] = {'/', 0x4e2d, '.', 'p', 'y'};
  uint32_t at = CODES + (uint32_t)number * CODE_BYTES;
  uint32_t objects = OBJECTS + (uint32_t)number * 3 * OBJECT_BYTES;

  put_pointer(at + l->object_type, CODE_TYPE);
  put_pointer(at + l->code_filename, objects);
  put_pointer(at + l->code_name, objects + OBJECT_BYTES);
  put_pointer(at + l->code_lines, objects + 2 * OBJECT_BYTES);
  put(at + l->code_first_line, 10 * (uint64_t)(number + 1), 4);
  if (number < DEPTH - 1)
    put_string(l, objects, 2, false, file, 5);
  else
    put_string(l, objects, 1, true, files[number], (uint32_t)strlen(files[number]));
  put_string(l, objects + OBJECT_BYTES, 1, true, functions[number],
             (uint32_t)strlen(functions[number]));
  put_pointer(objects + 2 * OBJECT_BYTES + l->object_type, BYTES_TYPE);
  put(objects + 2 * OBJECT_BYTES + l->bytes_length, 6, 8);
  memcpy(image + objects + 2 * OBJECT_BYTES + l->bytes_data, tables[l->lines], 6);
}

// A threading.Thread: up to 3.10 its attributes are in a dict, later in an array of its own.
static void
put_thread_object(const struct python_layout *l)
{
  put_string(l, KEY, 1, true, "_name", 5);
  put_string(l, NAME, 1, true, "worker", 6);
  put_pointer(THREAD + l->object_type, TYPE);
  if (l->minor <= 10) {
    put(TYPE + PYTHON_DICT_OFFSET, 16, 8);
    put_pointer(THREAD + 16, DICT);
    put_pointer(DICT + l->object_type, DICT_TYPE);
    put_pointer(DICT + l->dict_keys, KEYS);
    put(KEYS + 8, 8, 8);   // dk_size
    put(KEYS + 32, 1, 8);  // dk_nentries
    put_pointer(KEYS + 40 + 8 + 8, KEY);
    put_pointer(KEYS + 40 + 8 + 16, NAME);
    return;
  }
  enum { MANAGED_DICT = 1 << 4, INLINE_VALUES = 1 << 2, SPLIT = 2 };
  put(TYPE + l->type_flags, MANAGED_DICT | (l->minor >= 13 ? INLINE_VALUES : 0), 8);
  put_pointer(TYPE + l->cached_keys, KEYS);
  uint32_t size = l->object_type + 8;
  put(TYPE + l->type_name + 8, size, 8);
  image[KEYS + PYTHON_KEYS_LOG2_INDEX_BYTES] = 3;
  image[KEYS + PYTHON_KEYS_KIND] = SPLIT;
  put(KEYS + PYTHON_KEYS_COUNT, 1, 8);
  put_pointer(KEYS + PYTHON_KEYS_INDICES + 8, KEY);
  if (l->minor == 11)
    put_pointer(THREAD - 32, VALUES);
  else if (l->minor == 12)
    put_pointer(THREAD - 24, VALUES - 1);
  else
    image[THREAD + size + 3] = 1;
  put_pointer(l->minor < 13 ? VALUES : THREAD + size + 8, NAME);
}

// Frame `number` of a thread, 0 innermost, stands at the second instruction of code `number`.
static void
put_frame(const struct python_layout *l, uint32_t at, int number, uint32_t back)
{
  uint32_t code = CODES + (uint32_t)number * CODE_BYTES;

  put_pointer(at + l->frame_back, back);
  if (l->code_instructions == PYTHON_ABSENT) {
    put_pointer(at + 8, FRAME_TYPE);
    put(at + l->frame_instruction, l->lines == PYTHON_LINETABLE ? 1 : 2, 4);
  } else {
    put_pointer(at + l->frame_instruction, code + l->code_instructions + 2);
  }
  put(at + l->frame_code, (BASE + code) | l->frame_tag, 8);
  if (l->frame_entry != PYTHON_ABSENT)
    image[at + l->frame_entry] = number == DEPTH - 1;
}

// The frame runs one of four copies of its code's instructions, of which only these two are there.
static void
put_copy(const struct python_layout *l, uint32_t frame, int number, int copy)
{
  uint32_t code = CODES + (uint32_t)number * CODE_BYTES;

  put_pointer(code + l->code_copies, COPIES);
  put(COPIES, 4, 8);
  put_pointer(COPIES + 8 + 8 * 2, COPY);
  put(frame + l->frame_copy, (uint64_t)copy, 4);
  put_pointer(frame + l->frame_instruction, (copy ? COPY : code + l->code_instructions) + 2);
}

static void
put_thread(const struct python_layout *l, int number)
{
  uint32_t at = STATES + (uint32_t)number * STATE_BYTES;
  uint32_t frames = FRAMES + (uint32_t)number * (DEPTH + 2) * FRAME_BYTES;
  uint32_t descriptor = DESCRIPTORS + (uint32_t)number * 16;
  uint32_t cframe = CFRAMES + (uint32_t)number * 16;

  put_pointer(at + l->thread_next, number + 1 < THREADS ? at + STATE_BYTES : 0);
  put_pointer(at + l->thread_id, descriptor);
  put(descriptor + TID_OFFSET, (uint64_t)(FIRST_TID + number), 4);
  if (l->native_thread_id != PYTHON_ABSENT)
    put(at + l->native_thread_id, (uint64_t)(FIRST_TID + number), 8);
  if (l->cframe_frame == PYTHON_ABSENT) {
    put_pointer(at + l->thread_frame, frames);
  } else {
    put_pointer(at + l->thread_frame, cframe);
    put_pointer(cframe + l->cframe_frame, frames);
  }
  for (int i = 0; i < DEPTH; i++) {
    uint32_t frame = frames + (uint32_t)i * FRAME_BYTES;
    bool last = i == DEPTH - 1 && l->frame_owner == PYTHON_ABSENT;
    put_frame(l, frame, i, last ? 0 : frame + FRAME_BYTES);
    if (l->frame_copy != PYTHON_ABSENT)
      put_copy(l, frame, i, number == 0 ? 2 : 0);
    if (i == DEPTH - 1)
      put(frame + l->frame_locals, (BASE + THREAD) | l->frame_tag, 8);
  }
  uint32_t mark = frames + DEPTH * FRAME_BYTES;
  if (l->frame_owner != PYTHON_ABSENT)
    image[mark + l->frame_owner] = 3;
  if (l->minor >= 15) {
    put_pointer(mark + l->frame_back, mark + FRAME_BYTES);
    image[mark + FRAME_BYTES + l->frame_owner] = 3;
  }
}

// CPython's own types, by which its objects are told where it exports no symbols.
static void
put_types(const struct python_layout *l)
{
  static const char *const names[] = {"code", "str", "bytes", "frame", "dict"};

  for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    put_pointer(CODE_TYPE + i * (STRING_TYPE - CODE_TYPE) + l->type_name, TYPE_NAMES + i * 8);
    strcpy((char *)image + TYPE_NAMES + i * 8, names[i]);
  }
}

// version: the minor one, or FREE_THREADED and so on.
static const struct python_layout *
put_process(int version)
{
  int minor = minor_of(version);

  memset(image, 0, sizeof image);
  put_module(minor);
  const struct python_layout *l = minor >= 13 ? put_published(version) : python_layout_of(minor);
  put(HEX_VERSION, 3u << 24 | (uint64_t)minor << 16 | 0xf0, 8);
  put(TID_DESCRIPTION, 32 | 1ul << 32, 8);
  put(TID_DESCRIPTION + 8, TID_OFFSET, 4);
  put_pointer(RUNTIME + l->interpreters_head, INTERPRETER);
  put_pointer(INTERPRETER + l->threads_head, STATES);
  for (int i = 0; i < DEPTH; i++)
    put_code(l, i);
  for (int i = 0; i < THREADS; i++)
    put_thread(l, i);
  put_thread_object(l);
  put_types(l);
  return l;
}

static const struct pages_source kept_source = {.read = read_image};
static bool cheap;  // without a cache, as the library reads itself

// What is read as the record says, NULL: as it is.
static const struct python_record *over;

static void
read_over(void *context, const uint64_t *addresses, size_t length, int count, void *to, bool *there)
{
  read_image(context, addresses, length, count, to, there);
  for (int i = 0; over && i < count; i++)
    there[i] |=
        python_record_patch(over, addresses[i], (unsigned char *)to + (size_t)i * length, length);
}

static struct python *
open_image(void *memory, bool *found)
{
  static unsigned char pages[PAGES_MEMORY];
  const struct pages_source source = {.read = read_over, .cheap = cheap};

  memset(memory, 0, PYTHON_MEMORY);
  struct python *python = python_open(memory, pages, &source);
  python_add_module(python, BASE);
  *found = python_look_up(python);
  if (*found)
    python_read(python, &source);
  return python;
}

static void
must_read(struct python *python, int version, const struct python_layout *l)
{
  char text[8];
  bool cut;

  snprintf(text, sizeof text, "3.%d", minor_of(version));
  cr_assert_null(python_note(python), "%d: %s", version, python_note(python));
  cr_assert_str_eq(python_version(python), text);
  for (int thread = 0; thread < THREADS; thread++) {
    struct python_frame frames[8];
    cr_assert_eq(python_frames(python, FIRST_TID + thread, frames, 8, &cut), DEPTH);
    cr_assert_not(cut);
    for (int i = 0; i < DEPTH; i++) {
      cr_assert_str_eq(frames[i].function, functions[i]);
      cr_assert_str_eq(frames[i].file, files[i]);
      cr_assert_eq(frames[i].line, 10 * (i + 1) + 1, "%d: line %d", version, frames[i].line);
      bool inlined = l->frame_entry != PYTHON_ABSENT || l->frame_owner != PYTHON_ABSENT;
      cr_assert_eq(frames[i].entry, !inlined || i == DEPTH - 1);
    }
    cr_assert_not_null(python_thread_name(python), "%d", version);
    cr_assert_str_eq(python_thread_name(python), "worker");
    cr_assert_eq(python_frames(python, FIRST_TID + thread, frames, 2, &cut), 2);
    cr_assert(cut);
    cr_assert_null(python_thread_name(python));
  }
  struct python_frame none;
  cr_assert_eq(python_frames(python, 1, &none, 1, &cut), PYTHON_NO_STATE);
}

Test(python, every_version)
{
  void *memory = malloc(PYTHON_MEMORY);
  bool found;

  for (int version = OLDEST; version <= NEWEST; version++) {
    const struct python_layout *l = put_process(version);
    for (int i = 0; i < 2; i++) {
      cheap = i;
      struct python *python = open_image(memory, &found);
      cr_assert(found);
      must_read(python, version, l);
    }
  }
  free(memory);
}

// Found by its section, which exists from before 3.13 on.
Test(python, without_symbols)
{
  void *memory = malloc(PYTHON_MEMORY);
  bool found;

  for (int version = OLDEST; version <= NEWEST; version++) {
    const struct python_layout *l = put_process(version);
    memset(image + DYNAMIC, 0, HASH - DYNAMIC);
    struct python *python = open_image(memory, &found);
    cr_assert_not(found);
    python_look_at(python, BASE + RUNTIME);
    python_read(python, &kept_source);
    if (minor_of(version) >= 13)
      must_read(python, version, l);
    else
      cr_assert(strstr(python_note(python), "exports no symbols"));
  }
  free(memory);
}

static void
put_jump(uint32_t at, unsigned char condition, uint32_t target)
{
  uint32_t length = condition ? 6 : 5;

  image[at] = condition ? 0x0f : 0xe9;
  if (condition)
    image[at + 1] = condition;
  put(at + length - 4, target - at - length, 4);
}

// The table of unwind entries of the two pieces.
static void
put_frame_table(void)
{
  static const uint32_t pieces[][2] = {{EVALUATION, EVALUATION_BYTES}, {APART, APART_BYTES}};

  put(FRAME_TABLE, 0x3b031b01, 4);
  put(FRAME_TABLE + 8, 2, 4);
  for (uint32_t i = 0; i < 2; i++) {
    uint32_t description = FRAME_TABLE + 64 + i * 32;
    put(FRAME_TABLE + 12 + i * 8, pieces[i][0] - FRAME_TABLE, 4);
    put(FRAME_TABLE + 16 + i * 8, description - FRAME_TABLE, 4);
    put(description + 8, pieces[i][0] - (description + 8), 4);
    put(description + 12, pieces[i][1], 4);
  }
}

Test(python, evaluation_function_in_two_pieces)
{
  static const struct {
    uint32_t first, second;
    bool split;
  } jumps[] = {
      {APART + 8, APART + 32, true},  {APART + 8, APART + 8, false},  // once only
      {APART, APART, false},  // a function that is called at its end
      {APART + 8, EVALUATION, false}, {APART + APART_BYTES, APART + APART_BYTES + 8, false},
  };
  void *memory = malloc(PYTHON_MEMORY);
  bool found;

  for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
    put_process(14);
    put_frame_table();
    put_jump(EVALUATION + 3, 0x84, jumps[i].first);
    put_jump(EVALUATION + 20, 0, jumps[i].second);
    struct python *python = open_image(memory, &found);
    cr_assert(python_is_evaluation(python, BASE + EVALUATION));
    cr_assert_not(python_is_evaluation(python, BASE + EVALUATION + EVALUATION_BYTES));
    cr_assert_eq(python_is_evaluation(python, BASE + APART + 1), jumps[i].split, "%zu", i);
    cr_assert_not(python_is_evaluation(python, BASE + APART + APART_BYTES));
  }
  free(memory);
}

// In a fork child CPython's tids are those of the parent until it has set them anew: libc's count,
// but only while none of CPython's is right.
Test(python, tids_of_a_fork_child)
{
  void *memory = malloc(PYTHON_MEMORY);
  struct python_frame frames[8];
  bool found, cut;
  const struct python_layout *l = put_process(12);

  put(STATES + l->native_thread_id, 7, 8);
  struct python *python = open_image(memory, &found);
  cr_assert_eq(python_frames(python, FIRST_TID, frames, 8, &cut), DEPTH);
  python = open_image(memory, &found);
  cr_assert_eq(python_frames(python, FIRST_TID + 1, frames, 8, &cut), DEPTH);
  cr_assert_eq(python_frames(python, FIRST_TID, frames, 8, &cut), PYTHON_NO_STATE);
  free(memory);
}

static void
must_decline(void *memory, const char *note)
{
  struct python_frame frame;
  bool found, cut;
  struct python *python = open_image(memory, &found);

  cr_assert(found);
  cr_assert_str_empty(python_version(python));
  cr_assert(python_note(python) && strstr(python_note(python), note), "%s", python_note(python));
  cr_assert_eq(python_frames(python, FIRST_TID, &frame, 1, &cut), PYTHON_NO_STATE);
}

Test(python, other_versions_are_declined)
{
  void *memory = malloc(PYTHON_MEMORY);

  put_process(12);
  put(HEX_VERSION, 3u << 24 | 99u << 16, 8);
  must_decline(memory, "not known");
  put_process(13);
  put(RUNTIME + 8, 0x031000f0, 8);
  must_decline(memory, "3.8 to 3.15");
  put_process(14);
  put(RUNTIME + 8 + 8 * 31, published[PUBLISHED_14][30], 8);  // beyond its structure
  must_decline(memory, "not plausible");
  // The table of another version.
  put_process(13);
  memcpy(image + RUNTIME + 16, &published[PUBLISHED_14][1], sizeof published[0] - 8);
  must_decline(memory, "not plausible");
  free(memory);
}

// The frames of threads that are asked for in turn are read together, also where each is in a page
// of its own.
Test(python, frames_of_threads_are_read_at_once)
{
  void *memory = malloc(PYTHON_MEMORY);
  struct python_frame frames[8];
  bool found, cut;
  const struct python_layout *l = put_process(10);

  for (uint32_t i = 0; i < THREADS * DEPTH; i++) {
    uint32_t at = SPREAD + i * 4096, thread = i / DEPTH, frame = i % DEPTH;
    memcpy(image + at, image + FRAMES + (thread * (DEPTH + 2) + frame) * FRAME_BYTES, FRAME_BYTES);
    put_pointer(at + l->frame_back, frame == DEPTH - 1 ? 0 : at + 4096);
    if (frame == 0)
      put_pointer(STATES + thread * STATE_BYTES + l->thread_frame, at);
  }
  struct python *python = open_image(memory, &found);
  reads_of_spread = 0;
  for (int i = THREADS - 1; i >= 0; i--)
    cr_assert_eq(python_frames(python, FIRST_TID + i, frames, 8, &cut), DEPTH);
  cr_assert_eq(reads_of_spread, DEPTH, "%d", reads_of_spread);
  free(memory);
}

// A frame whose copy of the instructions is not there is none.
Test(python, missing_copies_give_no_frames)
{
  enum { MOST = 1 << 22 };
  static const int copies[] = {-1, 1, 4, INT_MAX};
  void *memory = malloc(PYTHON_MEMORY);
  struct python_frame frames[8];
  bool found, cut;

  for (int version = FREE_THREADED + 1; version <= NEWEST; version++) {
    for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++) {
      const struct python_layout *l = put_process(version);
      put(FRAMES + l->frame_copy, (uint64_t)copies[i], 4);
      struct python *python = open_image(memory, &found);
      cr_assert_eq(python_frames(python, FIRST_TID, frames, 8, &cut), PYTHON_UNREADABLE);
      cr_assert_eq(python_frames(python, FIRST_TID + 1, frames, 8, &cut), DEPTH);
    }
    put_process(version);
    put(COPIES, MOST + 1, 8);
    struct python *python = open_image(memory, &found);
    cr_assert_eq(python_frames(python, FIRST_TID, frames, 8, &cut), PYTHON_UNREADABLE);
    put_process(version);
    put_pointer(COPIES + 8 + 8 * 2, COPY + 0x100);  // the instruction is before it
    python = open_image(memory, &found);
    cr_assert_eq(python_frames(python, FIRST_TID, frames, 8, &cut), PYTHON_UNREADABLE);
  }
  free(memory);
}

// Frames in a circle, or of another type, are no frames.
Test(python, broken_chains_give_no_frames)
{
  void *memory = malloc(PYTHON_MEMORY);
  struct python_frame frames[64];
  bool found, cut;

  for (int minor = OLDEST; minor <= NEWEST; minor++) {
    const struct python_layout *l = put_process(minor);
    uint32_t outermost = FRAMES + (DEPTH - 1) * FRAME_BYTES;
    put_pointer(outermost + l->frame_back, FRAMES);
    struct python *python = open_image(memory, &found);
    cr_assert_eq(python_frames(python, FIRST_TID, frames, 64, &cut), 64);
    cr_assert(cut);
    put_process(minor);
    put_pointer(CODES + 2 * CODE_BYTES + l->object_type, STRING_TYPE);
    python = open_image(memory, &found);
    cr_assert_eq(python_frames(python, FIRST_TID, frames, 64, &cut), PYTHON_UNREADABLE);
    cr_assert_not_null(python_note(python));
    put_process(minor);
    put_pointer(STATES + l->thread_next, STATES);
    python = open_image(memory, &found);
    cr_assert_not_null(python_note(python));
  }
  free(memory);
}

// Changes some bytes: to anything, or to a pointer to somewhere in the image.
static void
mutate(void)
{
  for (unsigned int n = any() % 8 + 1; n > 0; n--) {
    uint32_t at = any() % (SIZE - 8);
    switch (any() % 3) {
    case 0: image[at] = (unsigned char)any(); break;
    case 1: put_pointer(at & ~7u, any() % SIZE); break;
    default: put(at & ~7u, (uint64_t)any() << 40 ^ any(), 8);
    }
  }
}

// Most bytes are empty: the changes are made where there is something.
static void
mutate_used(void)
{
  for (unsigned int n = any() % 4 + 1; n > 0;) {
    uint32_t at = any() % (SIZE - 8);
    if (!image[at])
      continue;
    image[at] = (unsigned char)(any() % 4 ? any() : image[at] ^ 1u << any() % 8);
    n--;
  }
}

// Where frames were before helps to find them, and misleads nobody when they have moved.
Test(python, places)
{
  const struct pages_source source = kept_source;
  void *memory = malloc(PYTHON_MEMORY);
  bool found;

  for (int version = OLDEST; version <= NEWEST; version++) {
    const struct python_layout *l = put_process(version);
    struct python *python = open_image(memory, &found);
    struct python_process process;
    cr_assert(python_process_of(python, &process));
    struct python_trail trail = {0}, other = {0}, none = {0};
    uint64_t first = BASE + DESCRIPTORS, second = first + 16;
    uint64_t hash = python_place_hash(&process, &source, first, &trail);
    cr_assert_neq(hash, 0, "%d", version);
    cr_assert_eq(python_place_hash(&process, &source, first, &trail), hash);
    cr_assert_eq(python_place_of(python, first, &other), hash);
    cr_assert_eq(python_place_hash(&process, &source, second, &other),
                 python_place_hash(&process, &source, second, &none));
    cr_assert_eq(other.state, BASE + STATES + STATE_BYTES);
    // Its innermost frame has returned.
    uint32_t innermost =
        l->cframe_frame == PYTHON_ABSENT ? STATES + l->thread_frame : CFRAMES + l->cframe_frame;
    uint64_t next;
    memcpy(&next, image + (trail.frames[0] - BASE) + l->frame_back, sizeof next);
    put(innermost, next, 8);
    uint64_t returned = python_place_hash(&process, &source, first, &trail);
    cr_assert_neq(returned, hash);
    struct python_trail empty = {0};
    cr_assert_eq(python_place_hash(&process, &source, first, &empty), returned);
    cr_assert_eq(python_place_hash(&process, &source, first + 8, &trail), 0);
  }
  free(memory);
}

static struct python_record record;

static pid_t
tid_of(uint64_t descriptor)
{
  return FIRST_TID + (pid_t)((descriptor - BASE - DESCRIPTORS) / 16);
}

static void
make_record(void *memory, uint64_t forking)
{
  struct python_process process;
  bool found;
  struct python *python = open_image(memory, &found);

  cr_assert(python_process_of(python, &process));
  record.pid = 1;
  python_record(&(struct python_recording){.record = &record,
                                           .process = &process,
                                           .source = &kept_source,
                                           .forking = forking,
                                           .tid_offset = python_tid_offset(python),
                                           .tid_of = tid_of});
}

// CPython drops its threads in a fork child, and libc their tids.
static void
drop_threads(void)
{
  memset(image + STATES, 0, CODES - STATES);
  memset(image + INTERPRETER, 0, 0x1000);
}

Test(python, recorded_threads)
{
  void *memory = malloc(PYTHON_MEMORY);
  struct python_frame frames[8];
  bool found, cut;

  for (int version = OLDEST; version <= NEWEST; version++) {
    const struct python_layout *l = put_process(version);
    make_record(memory, 1);
    drop_threads();
    struct python *python = open_image(memory, &found);
    cr_assert_eq(python_frames(python, FIRST_TID, frames, 8, &cut), PYTHON_NO_STATE);
    over = &record;
    must_read(open_image(memory, &found), version, l);
    over = NULL;
    // Of the thread that forks only that it is there.
    put_process(version);
    make_record(memory, BASE + DESCRIPTORS);
    drop_threads();
    over = &record;
    python = open_image(memory, &found);
    cr_assert_eq(python_frames(python, FIRST_TID, frames, 8, &cut), 0);
    cr_assert_eq(python_frames(python, FIRST_TID + 1, frames, 8, &cut), DEPTH);
    over = NULL;
  }
  free(memory);
}

// A list without an end fills the record, which says so, and has an end.
Test(python, full_record)
{
  void *memory = malloc(PYTHON_MEMORY);
  struct python_frame frames[8];
  bool found, cut;

  for (int version = OLDEST; version <= NEWEST; version++) {
    const struct python_layout *l = put_process(version);
    cr_assert_eq(record.cut, 0);
    put_pointer(STATES + STATE_BYTES + l->thread_next, STATES);
    make_record(memory, 1);
    cr_assert_eq(record.cut, 1);
    cr_assert_leq(record.used, sizeof record.pieces);
    drop_threads();
    over = &record;
    struct python *python = open_image(memory, &found);
    cr_assert_null(python_note(python));
    cr_assert_eq(python_frames(python, FIRST_TID, frames, 8, &cut), DEPTH);
    over = NULL;
    record.cut = 0;
  }
  free(memory);
}

Test(python, forged_records)
{
  enum { ROUNDS = 2000 };
  unsigned char bytes[PAGE_BYTES];

  for (int round = 0; round < ROUNDS; round++) {
    record.used = round % 4 ? any() % 2000 : any() * (uint64_t)any();
    for (size_t i = 0; i < 2000; i++)
      record.pieces[i] = i % 8 < 6 && any() % 3 ? 0 : (unsigned char)any();
    (void)python_record_patch(&record, any() % 4 ? any() % 65536 : UINT64_MAX - any() % 8192, bytes,
                              sizeof bytes);
  }
}

static void
must_end(void *memory, int round)
{
  enum { MOST_READS = 100000 };
  struct python_frame frames[32];
  bool found, cut;

  reads = 0;
  struct python *python = open_image(memory, &found);
  for (int tid = FIRST_TID - 1; tid <= FIRST_TID + THREADS; tid++) {
    int count = python_frames(python, tid, frames, 32, &cut);
    cr_assert(count >= PYTHON_UNREADABLE && count <= 32);
    const char *name = python_thread_name(python);
    cr_assert(!name || strlen(name) < 10000);
    for (int i = 0; i < count; i++)
      cr_assert(strlen(frames[i].file) + strlen(frames[i].function) < 10000);
  }
  cr_assert_lt(reads, MOST_READS, "round %d: %d reads", round, reads);
}

Test(python, mutated_processes, .timeout = 300)
{
  enum { ROUNDS = 20000 };
  unsigned char *memory = malloc(PYTHON_MEMORY);

  for (int round = 0; round < ROUNDS; round++) {
    put_process(OLDEST + round % (NEWEST - OLDEST + 1));
    if (round % 3)
      mutate_used();
    else
      mutate();
    cheap = round % 2;
    must_end(memory, round);
  }
  free(memory);
}

Test(python, changing_processes, .timeout = 300)
{
  enum { ROUNDS = 10000 };
  unsigned char *memory = malloc(PYTHON_MEMORY);

  cheap = true;
  for (int round = 0; round < ROUNDS; round++) {
    put_process(OLDEST + round % (NEWEST - OLDEST + 1));
    changing = 1 + any() % 50;
    must_end(memory, round);
  }
  free(memory);
}

Test(python, random_bytes)
{
  unsigned char *memory = malloc(PYTHON_MEMORY);
  bool found;

  for (int round = 0; round < 300; round++) {
    for (size_t i = 0; i < SIZE; i++)
      image[i] = (unsigned char)any();
    if (round % 2)  // an ELF file of random tables
      put_module(OLDEST + round % 8);
    open_image(memory, &found);
  }
  free(memory);
}
