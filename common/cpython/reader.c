#include "reader_internal.h"

#include <limits.h>
#include <string.h>

struct python *
python_open(void *memory, void *pages, const struct pages_source *source)
{
  struct python *p = memory;

  p->pages.bytes = pages;
  p->pages.source = *source;
  return p;
}

void
python_add_module(struct python *p, uint64_t start)
{
  if (p->module_count < MODULES)
    p->modules[p->module_count++].start = start;
}

const char *
python_version(const struct python *p)
{
  return p->version;
}

const char *
python_note(const struct python *p)
{
  return p->note;
}

static const struct dynamic_symbols *
symbols_of(struct python *p, struct module *module)
{
  if (module->state == UNOPENED)
    module->state =
        dynamic_symbols_open(&module->symbols, &p->pages, module->start) ? OPEN : NOT_ELF;
  return module->state == OPEN ? &module->symbols : NULL;
}

uint64_t
python_sized_symbol(struct python *p, const char *name, uint64_t *size,
                    const struct dynamic_symbols **module)
{
  for (int i = 0; i < p->module_count; i++) {
    *module = symbols_of(p, &p->modules[i]);
    uint64_t address = *module ? dynamic_symbol(*module, &p->pages, name, size) : 0;
    if (address)
      return address;
  }
  return 0;
}

uint64_t
python_symbol(struct python *p, const char *name)
{
  const struct dynamic_symbols *module;
  uint64_t size;

  return python_sized_symbol(p, name, &size, &module);
}

// The minor version of a Python 3, 0 where it cannot be told. Up to 3.10 CPython has no variable
// for it, but each version exports functions that the one before did not have.
static int
minor_version(struct python *p)
{
  uint64_t hex, at = python_symbol(p, "Py_Version");

  if (at)
    return pages_read(&p->pages, at, &hex, sizeof hex) && hex >> 24 == 3 ? (int)(hex >> 16 & 0xff)
                                                                         : 0;
  if (python_symbol(p, "Py_NewRef"))
    return 10;
  if (python_symbol(p, "PyFrame_GetCode"))
    return 9;
  return python_symbol(p, "PyInterpreterState_GetDict") ? 8 : 7;
}

static bool
read_published_layout(struct python *p)
{
  char cookie[8];
  uint64_t words[PYTHON_PUBLISHED_WORDS];

  if (!pages_read(&p->pages, p->runtime, cookie, sizeof cookie) ||
      !pages_read(&p->pages, p->runtime + sizeof cookie, words, sizeof words) ||
      memcmp(cookie, python_cookie, sizeof cookie) != 0)
    return false;
  p->note = python_layout_published(words, &p->layout);
  return true;
}

static bool
choose_layout(struct python *p)
{
  if (read_published_layout(p))
    return !p->note;
  int minor = minor_version(p);
  const struct python_layout *layout = python_layout_of(minor);
  if (!layout) {
    p->note = minor < 8 ? "Python frames are read from CPython 3.8 and later only"
                        : "the layout of this version of CPython is not known";
    return false;
  }
  p->layout = *layout;
  return true;
}

static bool
add_state(struct python *p, uint64_t address)
{
  const struct python_layout *l = &p->layout;
  struct state *state = &p->states[p->state_count];
  uint64_t native = 0;

  if (l->native_thread_id != PYTHON_ABSENT &&
      (!pages_read(&p->pages, address + l->native_thread_id, &native, sizeof native) ||
       native > INT_MAX))
    return false;
  *state = (struct state){.frame = pages_pointer(&p->pages, address + l->thread_frame),
                          .descriptor = pages_pointer(&p->pages, address + l->thread_id),
                          .native_tid = (pid_t)native};
  p->state_count++;
  return true;
}

// From 3.11 to 3.12 what a state has points to a structure on the thread's C stack, and that to the
// frame.
static void
follow_cframes(struct python *p)
{
  uint64_t addresses[WORDS_AT_ONCE], words[WORDS_AT_ONCE];

  for (int i = 0; i < p->state_count; i += WORDS_AT_ONCE) {
    int n = p->state_count - i < WORDS_AT_ONCE ? p->state_count - i : WORDS_AT_ONCE;
    for (int k = 0; k < n; k++)
      addresses[k] = p->states[i + k].frame ? p->states[i + k].frame + p->layout.cframe_frame : 0;
    pages_words(&p->pages, addresses, words, n);
    for (int k = 0; k < n; k++)
      p->states[i + k].frame = words[k];
  }
}

// What libc tells debuggers (glibc: nptl_db/structs.def, pthread.tid): size in bits, number, offset
// in bytes.
uint32_t
python_tid_offset(struct python *p)
{
  uint32_t description[3];
  uint64_t at = python_symbol(p, "_thread_db_pthread_tid");

  return at && pages_read(&p->pages, at, description, sizeof description) && description[0] == 32 &&
                 description[1] == 1 && description[2] <= PAGE_BYTES
             ? description[2]
             : 0;
}

void
python_read_tids(struct python *p)
{
  uint64_t addresses[WORDS_AT_ONCE], words[WORDS_AT_ONCE];
  uint32_t offset = python_tid_offset(p);

  p->tids_read = true;
  if (!offset) {
    if (p->layout.native_thread_id == PYTHON_ABSENT)
      p->note = "libc does not tell where it keeps thread ids: Python frames are not read";
    return;
  }
  for (int i = 0; i < p->state_count; i += WORDS_AT_ONCE) {
    int n = p->state_count - i < WORDS_AT_ONCE ? p->state_count - i : WORDS_AT_ONCE;
    for (int k = 0; k < n; k++)
      addresses[k] = p->states[i + k].descriptor ? p->states[i + k].descriptor + offset : 0;
    pages_words(&p->pages, addresses, words, n);
    for (int k = 0; k < n; k++)
      p->states[i + k].tid = (pid_t)words[k] > 0 ? (pid_t)words[k] : 0;
  }
}

// False where the list does not end as it should.
static bool
list_states_of(struct python *p, uint64_t interpreter)
{
  uint64_t state, at = interpreter + p->layout.threads_head;

  while (pages_read(&p->pages, at, &state, sizeof state)) {
    if (!state)
      return true;
    if (p->state_count == STATES || !add_state(p, state))
      return false;
    at = state + p->layout.thread_next;
  }
  return false;
}

static bool
list_states(struct python *p)
{
  uint64_t interpreter, at = p->runtime + p->layout.interpreters_head;

  while (pages_read(&p->pages, at, &interpreter, sizeof interpreter)) {
    if (!interpreter)
      return true;
    if (p->interpreters++ == INTERPRETERS || !list_states_of(p, interpreter))
      return false;
    at = interpreter + p->layout.interpreter_next;
  }
  return false;
}

static void
read_interpreter(struct python *p)
{
  const struct python_layout *l = &p->layout;

  if (!python_measure_frame(p)) {
    p->note = "the offsets that CPython publishes are not plausible";
    return;
  }
  python_find_types(p);
  python_find_evaluation(p);
  if (!list_states(p))
    p->note = "CPython's list of threads is not as it should be: Python frames may be missing";
  p->latest_state = p->expected = p->state_count - 1;
  if (l->cframe_frame != PYTHON_ABSENT)
    follow_cframes(p);
  memcpy(p->version, "3.", 2);
  char *digit = p->version + 2;
  if (l->minor > 9)
    *digit++ = (char)('0' + l->minor / 10);
  *digit = (char)('0' + l->minor % 10);
}

bool
python_look_up(struct python *p)
{
  p->runtime = python_symbol(p, "_PyRuntime");
  return p->runtime;
}

void
python_look_at(struct python *p, uint64_t runtime)
{
  p->runtime = runtime;
  p->exports_nothing = true;
}

void
python_read(struct python *p, const struct pages_source *source)
{
  p->pages.source = *source;
  if (!p->exports_nothing) {
    if (choose_layout(p))
      read_interpreter(p);
  } else if (read_published_layout(p) && !p->note) {
    read_interpreter(p);
  } else if (!p->note) {
    p->note = "of a CPython that exports no symbols frames are read from version 3.13 on only";
  }
}
