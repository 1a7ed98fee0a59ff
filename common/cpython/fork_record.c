#include "fork_record.h"

#include "reader_internal.h"

#include <string.h>

// The command shows no more frames of a thread, most of which are no marks.
enum { MOST_FRAMES = 512 };

static size_t
padded(size_t length)
{
  return (length + 7) & ~7ul;
}

// The bytes at the address, in their new piece; NULL where there is no room, or they are not there.
static unsigned char *
keep(const struct python_recording *r, uint64_t address, size_t length)
{
  struct python_record *record = r->record;
  struct python_piece piece = {address, length};
  size_t size = sizeof piece + padded(length);
  unsigned char *at = record->pieces + record->used;
  bool there = false;

  if (size > sizeof record->pieces - record->used) {
    record->cut = 1;
    return NULL;
  }
  r->source->read(r->source->context, &address, length, 1, at + sizeof piece, &there);
  if (!there)
    return NULL;
  memcpy(at, &piece, sizeof piece);
  record->used += size;
  return at + sizeof piece;
}

static uint64_t
word_at(const unsigned char *bytes)
{
  uint64_t word = 0;

  if (bytes)
    memcpy(&word, bytes, sizeof word);
  return word;
}

static uint64_t
keep_word(const struct python_recording *r, uint64_t address)
{
  return word_at(keep(r, address, sizeof(uint64_t)));
}

static void
keep_frames(const struct python_recording *r, uint64_t frame)
{
  const struct python_layout *l = &r->process->layout;
  uint64_t outermost = 0;

  for (int i = 0; i < MOST_FRAMES && frame; i++) {
    const unsigned char *bytes = keep(r, frame, r->process->frame_bytes);
    if (!bytes)
      return;
    bool mark = l->frame_owner != PYTHON_ABSENT && bytes[l->frame_owner] >= PYTHON_FRAME_MARK;
    outermost = mark ? outermost : frame;
    frame = word_at(bytes + l->frame_back);
  }
  if (outermost)
    keep_word(r, outermost + l->frame_locals);  // the Thread
}

static void
keep_tid(const struct python_recording *r, uint64_t descriptor)
{
  pid_t tid = r->tid_offset && descriptor ? r->tid_of(descriptor) : 0;
  unsigned char *bytes = tid ? keep(r, descriptor + r->tid_offset, sizeof(uint64_t)) : NULL;

  if (bytes)
    memcpy(bytes, &tid, sizeof tid);
}

static void
keep_state(const struct python_recording *r, uint64_t state)
{
  const struct python_layout *l = &r->process->layout;
  uint64_t descriptor = keep_word(r, state + l->thread_id);

  if (l->native_thread_id != PYTHON_ABSENT)
    keep_word(r, state + l->native_thread_id);
  else
    keep_tid(r, descriptor);
  unsigned char *bytes = keep(r, state + l->thread_frame, sizeof(uint64_t));
  uint64_t frame = word_at(bytes);
  if (bytes && descriptor == r->forking)
    memset(bytes, 0, sizeof frame);
  if (!frame || descriptor == r->forking)
    return;
  if (l->cframe_frame != PYTHON_ABSENT)
    frame = keep_word(r, frame + l->cframe_frame);
  keep_frames(r, frame);
}

// Of a thread that has no room nothing stays, and the list ends before it.
static void
keep_interpreter(const struct python_recording *r, uint64_t interpreter)
{
  const struct python_layout *l = &r->process->layout;
  unsigned char *link = keep(r, interpreter + l->threads_head, sizeof(uint64_t));
  uint64_t state = word_at(link);

  for (int i = 0; i < STATES && state; i++) {
    uint64_t used = r->record->used;
    keep_state(r, state);
    unsigned char *next = keep(r, state + l->thread_next, sizeof(uint64_t));
    if (r->record->cut) {
      r->record->used = used;
      memset(link, 0, sizeof(uint64_t));
      return;
    }
    link = next;
    state = word_at(link);
  }
}

void
python_record(const struct python_recording *r)
{
  const struct python_layout *l = &r->process->layout;

  r->record->used = 0;
  r->record->cut = 0;
  uint64_t interpreter = keep_word(r, r->process->runtime + l->interpreters_head);
  for (int i = 0; i < INTERPRETERS && interpreter && !r->record->cut; i++) {
    keep_interpreter(r, interpreter);
    interpreter = keep_word(r, interpreter + l->interpreter_next);
  }
}

// What the two ranges share, copied.
static bool
overlay(const struct python_piece *piece, const unsigned char *bytes, uint64_t address,
        unsigned char *to, size_t length)
{
  uint64_t first = piece->address > address ? piece->address : address;
  uint64_t end = piece->address + piece->length, to_end = address + length;
  uint64_t last = end < to_end ? end : to_end;

  if (first >= last)
    return false;
  memcpy(to + (first - address), bytes + (first - piece->address), last - first);
  return true;
}

bool
python_record_patch(const struct python_record *record, uint64_t address, void *bytes,
                    size_t length)
{
  uint64_t used = record->used <= sizeof record->pieces ? record->used : 0;
  struct python_piece piece;
  bool any = false;

  for (uint64_t at = 0; used - at >= sizeof piece; at += padded(piece.length)) {
    memcpy(&piece, record->pieces + at, sizeof piece);
    at += sizeof piece;
    if (piece.length > PAGE_BYTES || padded(piece.length) > used - at ||
        piece.address > UINT64_MAX - PAGE_BYTES)
      break;
    any |= overlay(&piece, record->pieces + at, address, bytes, length);
  }
  return any;
}
