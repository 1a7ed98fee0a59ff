#include "position_hash.h"

#include "instruction_copy.h"
#include "reader_internal.h"

#include <string.h>

enum { FRAME_BYTES = 128, FRAMES_AHEAD = 16 };

bool
python_process_of(const struct python *python, struct python_process *process)
{
  *process = (struct python_process){python->layout, python->runtime, python->frame_bytes};
  return python->version[0] && python->frame_bytes <= FRAME_BYTES;
}

static bool
read_bytes(const struct pages_source *source, uint64_t address, void *to, size_t length)
{
  bool there = false;

  source->read(source->context, &address, length, 1, to, &there);
  return there;
}

static uint64_t
pointer(const struct pages_source *source, uint64_t address)
{
  uint64_t word;

  return read_bytes(source, address, &word, sizeof word) ? word : 0;
}

static uint64_t
find_state(const struct python_process *process, const struct pages_source *source,
           uint64_t descriptor)
{
  const struct python_layout *l = &process->layout;
  uint64_t interpreter = pointer(source, process->runtime + l->interpreters_head);

  for (int i = 0; i < INTERPRETERS && interpreter; i++) {
    uint64_t state = pointer(source, interpreter + l->threads_head);
    for (int k = 0; k < STATES && state; k++) {
      if (pointer(source, state + l->thread_id) == descriptor)
        return state;
      state = pointer(source, state + l->thread_next);
    }
    interpreter = pointer(source, interpreter + l->interpreter_next);
  }
  return 0;
}

static uint64_t
mix(uint64_t hash, uint64_t word)
{
  hash = (hash ^ word) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 29;
}

static uint64_t
word_at(const unsigned char *bytes, uint32_t offset)
{
  uint64_t word;

  memcpy(&word, bytes + offset, sizeof word);
  return word;
}

static uint64_t
read_word(void *context, uint64_t address)
{
  const struct pages_source *const *source = context;

  return pointer(*source, address);
}

// Equal for all threads that are at this place of the code.
static uint64_t
instruction_of(const struct python_layout *l, const struct pages_source *source,
               const unsigned char *frame, uint64_t code)
{
  uint64_t instruction = word_at(frame, l->frame_instruction);

  if (l->code_instructions == PYTHON_ABSENT)
    return (uint32_t)instruction;  // up to 3.10 an index, of 4 bytes
  if (l->frame_copy == PYTHON_ABSENT)
    return instruction;
  int32_t copy = (int32_t)word_at(frame, l->frame_copy);
  return instruction - python_copy(l, code, copy, read_word, &source);
}

// The next frames, as many as fit, read at once from where they were.
struct ahead {
  int first, count;
  bool there[FRAMES_AHEAD];
  unsigned char bytes[FRAMES_AHEAD][FRAME_BYTES];
};

static void
read_ahead(const struct python_process *process, const struct pages_source *source,
           const struct python_trail *trail, int first, struct ahead *ahead)
{
  int left = trail->count - first;

  ahead->first = first;
  ahead->count = left < FRAMES_AHEAD ? left : FRAMES_AHEAD;
  if (ahead->count > 0)
    source->read(source->context, trail->frames + first, process->frame_bytes, ahead->count,
                 ahead->bytes, ahead->there);
}

// The i-th frame, which is at `address`; NULL where it cannot be read.
static const unsigned char *
frame_at(const struct python_process *process, const struct pages_source *source,
         struct python_trail *trail, int i, uint64_t address, struct ahead *ahead)
{
  if (i == ahead->first + FRAMES_AHEAD)
    read_ahead(process, source, trail, i, ahead);
  int k = i - ahead->first;
  unsigned char *bytes = ahead->bytes[0] + (size_t)k * process->frame_bytes;
  if (k < ahead->count && trail->frames[i] == address && ahead->there[k])
    return bytes;
  trail->frames[i] = address;
  return read_bytes(source, address, bytes, process->frame_bytes) ? bytes : NULL;
}

// 0: the state is not, or no more, that thread's, or its frames cannot be read.
static uint64_t
hash_frames(const struct python_process *process, const struct pages_source *source,
            uint64_t descriptor, struct python_trail *trail)
{
  const struct python_layout *l = &process->layout;
  struct ahead ahead;
  uint64_t hash = 1, state = trail->state;
  int i = 0;

  if (!state || pointer(source, state + l->thread_id) != descriptor)
    return 0;
  uint64_t frame = pointer(source, state + l->thread_frame);
  if (frame && l->cframe_frame != PYTHON_ABSENT)
    frame = pointer(source, frame + l->cframe_frame);
  read_ahead(process, source, trail, 0, &ahead);
  for (; i < PYTHON_TRAIL && frame; i++) {
    const unsigned char *bytes = frame_at(process, source, trail, i, frame, &ahead);
    if (!bytes)
      return 0;
    uint64_t code = word_at(bytes, l->frame_code) & ~l->frame_tag;
    hash = mix(mix(hash, code), instruction_of(l, source, bytes, code));
    frame = word_at(bytes, l->frame_back);
  }
  trail->count = i;
  return hash;
}

// A thread keeps its state as long as it lives, most often.
uint64_t
python_place_hash(const struct python_process *process, const struct pages_source *source,
                  uint64_t descriptor, struct python_trail *trail)
{
  uint64_t hash = hash_frames(process, source, descriptor, trail);

  if (hash)
    return hash;
  trail->count = 0;
  trail->state = find_state(process, source, descriptor);
  return hash_frames(process, source, descriptor, trail);
}

uint64_t
python_place_of(struct python *python, uint64_t descriptor, struct python_trail *trail)
{
  struct pages_source kept = pages_as_source(&python->pages);
  struct python_process process;

  return python_process_of(python, &process) ? python_place_hash(&process, &kept, descriptor, trail)
                                             : 0;
}
