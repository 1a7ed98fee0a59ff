#include "instruction_copy.h"
#include "reader_internal.h"

#include <limits.h>
#include <string.h>

enum { MOST_FRAME = 128 };  // bytes of a frame that are looked at

bool
python_measure_frame(struct python *p)
{
  const struct python_layout *l = &p->layout;
  const uint32_t offsets[] = {l->frame_back,  l->frame_code,  l->frame_instruction, l->frame_line,
                              l->frame_trace, l->frame_entry, l->frame_owner,       l->frame_copy};

  for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
    size_t end = offsets[i] + sizeof(uint64_t);
    if (offsets[i] != PYTHON_ABSENT && end > p->frame_bytes)
      p->frame_bytes = end;
  }
  return p->frame_bytes <= MOST_FRAME;
}

struct raw_frame {
  unsigned char bytes[MOST_FRAME];
};

static uint64_t
word_of(const struct raw_frame *frame, uint32_t offset)
{
  uint64_t word;

  memcpy(&word, frame->bytes + offset, sizeof word);
  return word;
}

static uint64_t
code_of(const struct python_layout *l, const struct raw_frame *frame)
{
  return word_of(frame, l->frame_code) & ~l->frame_tag;
}

static int
number_of(const struct raw_frame *frame, uint32_t offset)
{
  int number;

  memcpy(&number, frame->bytes + offset, sizeof number);
  return number;
}

// Of a frame that is traced CPython keeps the line.
static int
traced_line(const struct python_layout *l, const struct raw_frame *frame)
{
  if (l->frame_line == PYTHON_ABSENT ||
      (l->frame_trace != PYTHON_ABSENT && !word_of(frame, l->frame_trace)))
    return 0;
  int line = number_of(frame, l->frame_line);
  return line > 0 ? line : 0;
}

static uint64_t
read_word(void *context, uint64_t address)
{
  return pages_pointer(context, address);
}

// The index of the instruction in bytes.
static bool
instruction_of(struct python *p, const struct raw_frame *frame, int *at)
{
  const struct python_layout *l = &p->layout;

  if (l->code_instructions == PYTHON_ABSENT) {
    *at = number_of(frame, l->frame_instruction);
    if (*at > INT_MAX / 4)
      return false;
    if (l->lines == PYTHON_LINETABLE && *at > 0)
      *at *= 2;  // 3.10 counts instructions
    return true;
  }
  int copy = l->frame_copy == PYTHON_ABSENT ? 0 : number_of(frame, l->frame_copy);
  uint64_t first = python_copy(l, code_of(l, frame), copy, read_word, &p->pages);
  // One instruction before the first at the beginning.
  uint64_t offset = word_of(frame, l->frame_instruction) - first;
  if (!first || offset + 64 > INT_MAX / 4)
    return false;
  *at = (int)offset;
  return true;
}

static bool
read_frame(struct python *p, const struct raw_frame *raw, struct python_frame *frame)
{
  const struct python_layout *l = &p->layout;
  int at;

  if (l->code_instructions == PYTHON_ABSENT &&
      word_of(raw, l->object_type) != p->types[PYTHON_FRAME])
    return false;
  struct code *code = python_code_at(p, code_of(l, raw));
  if (!code || !instruction_of(p, raw, &at))
    return false;
  int line = traced_line(l, raw);
  *frame = (struct python_frame){
      .file = code->file,
      .function = code->function,
      .line = line ? line : python_code_line(p, code, at),
      .entry = l->frame_owner == PYTHON_ABSENT &&
               (l->frame_entry == PYTHON_ABSENT || raw->bytes[l->frame_entry]),
  };
  return true;
}

// Between two calls of the evaluation function, and at its end, such a frame stands for the C code.
static bool
is_mark(const struct python_layout *l, const struct raw_frame *frame)
{
  return l->frame_owner != PYTHON_ABSENT && frame->bytes[l->frame_owner] >= PYTHON_FRAME_MARK;
}

// From 3.12 on the evaluation function calls some __init__ through a frame of its own code, which
// has no file and no lines, and which tracebacks leave out (Python/specialize.c, _Py_InitCleanup).
static bool
is_init_cleanup(const struct python_frame *frame)
{
  return frame->line == 0 && strcmp(frame->file, "__init__") == 0 &&
         strcmp(frame->function, "__init__") == 0;
}

// Adds `frame` and those outside of it; returns their new number, or PYTHON_UNREADABLE.
static int
add_frames(struct python *p, uint64_t frame, struct python_frame *frames, int count, int most,
           bool *cut)
{
  struct raw_frame raw;
  int first = count;
  bool marked = false;

  while (frame) {
    if (!pages_read(&p->pages, frame, raw.bytes, p->frame_bytes))
      return PYTHON_UNREADABLE;
    uint64_t address = frame;
    frame = word_of(&raw, p->layout.frame_back);
    if (is_mark(&p->layout, &raw)) {
      if (marked && frame)
        return PYTHON_UNREADABLE;  // there are never two, but at the end from 3.15 on
      marked = true;
      if (count > first)
        frames[count - 1].entry = true;
      continue;
    }
    marked = false;
    if (count == most) {
      *cut = true;
      p->outermost_address = 0;
      return count;
    }
    if (!read_frame(p, &raw, &frames[count]))
      return PYTHON_UNREADABLE;
    p->outermost_address = address;
    count += !is_init_cleanup(&frames[count]);
  }
  return count;
}

static bool
is_state_of(const struct state *state, pid_t tid, bool by_native_tid)
{
  return (by_native_tid ? state->native_tid : state->tid) == tid;
}

// From a frame outward, the first one that is not among the pages kept; 0: they all are.
static uint64_t
first_not_kept(struct python *p, uint64_t frame)
{
  enum { MOST_STEPS = 64 };

  for (int i = 0; i < MOST_STEPS && frame; i++) {
    if (!pages_kept(&p->pages, frame + p->layout.frame_back))
      return frame;
    frame = pages_pointer(&p->pages, frame + p->layout.frame_back);
  }
  return 0;
}

// The next threads that are asked for are those before it in the list. Up to 3.10 some 20 frames of
// one lie in several pages: the next page of each thread is read at once.
static void
expect_frames(struct python *p, int first)
{
  enum { DEEP = PAGES_EXPECTED / PAGES_AT_ONCE };  // pages of each: more would drive others out
  uint64_t frames[PAGES_AT_ONCE] = {0};
  int n = 0;

  for (int i = first; i >= 0 && n < PAGES_AT_ONCE; i--)
    frames[n++] = p->states[i].frame;
  p->expected = first - n;
  pages_expect_others(&p->pages);
  for (int page = 0; page < DEEP; page++) {
    pages_expect(&p->pages, frames, n);
    for (int i = 0; i < n; i++)
      frames[i] = first_not_kept(p, frames[i]);
  }
}

// A thread may have a state in each of several interpreters: the list begins with the newest. Ask
// for the threads in their order: the list has them in reverse.
static int
frames_by(struct python *p, pid_t tid, bool by_native_tid, struct python_frame *frames, int most,
          bool *cut)
{
  int count = PYTHON_NO_STATE;
  int latest = p->interpreters > 1 ? 0 : p->latest_state;

  for (int n = 0; n < p->state_count; n++) {
    int i = p->interpreters > 1 ? n : (latest - n + p->state_count) % p->state_count;
    if (!is_state_of(&p->states[i], tid, by_native_tid))
      continue;
    p->latest_state = i;
    if (i <= p->expected && !p->pages.source.cheap)
      expect_frames(p, i);
    count = add_frames(p, p->states[i].frame, frames, count < 0 ? 0 : count, most, cut);
    if (count == PYTHON_UNREADABLE)
      p->note = "the Python frames of a thread are not as they should be, and not shown";
    if (count == PYTHON_UNREADABLE || p->interpreters == 1)
      return count;
  }
  return count;
}

static int
frames_of(struct python *p, pid_t tid, struct python_frame *frames, int most, bool *cut)
{
  int count = frames_by(p, tid, true, frames, most, cut);

  p->tids_hold |= count != PYTHON_NO_STATE;
  if (p->tids_hold)
    return count;
  // Up to 3.10 CPython keeps no tids, and in a fork child those it keeps are old for a while.
  if (!p->tids_read)
    python_read_tids(p);
  return frames_by(p, tid, false, frames, most, cut);
}

int
python_frames(struct python *p, pid_t tid, struct python_frame *frames, int most, bool *cut)
{
  *cut = false;
  p->outermost_address = 0;
  int count = frames_of(p, tid, frames, most, cut);
  if (count > 0)
    p->outermost = frames[count - 1];
  else
    p->outermost_address = 0;
  return count;
}
