#include "python_place.h"

#include "python_reader.h"

#include <string.h>

enum { FRAMES_HASHED = 64, FRAME_BYTES = 128 };

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

uint64_t
python_state_find(const struct python_process *process, const struct pages_source *source,
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

uint64_t
python_place_hash(const struct python_process *process, const struct pages_source *source,
                  uint64_t state, uint64_t descriptor)
{
  const struct python_layout *l = &process->layout;
  unsigned char bytes[FRAME_BYTES];
  uint64_t hash = 1;

  if (pointer(source, state + l->thread_id) != descriptor)
    return 0;
  uint64_t frame = pointer(source, state + l->thread_frame);
  if (frame && l->cframe_frame != PYTHON_ABSENT)
    frame = pointer(source, frame + l->cframe_frame);
  for (int i = 0; i < FRAMES_HASHED && frame; i++) {
    if (!read_bytes(source, frame, bytes, process->frame_bytes))
      return 0;
    // Up to 3.10 the instruction is an index, of 4 bytes.
    uint64_t instruction = word_at(bytes, l->frame_instruction);
    if (l->code_instructions == PYTHON_ABSENT)
      instruction = (uint32_t)instruction;
    hash = mix(mix(hash, word_at(bytes, l->frame_code) & ~l->frame_tag), instruction);
    frame = word_at(bytes, l->frame_back);
  }
  return hash;
}
