#include "compare.h"

#include "futex.h"
#include "memory.h"

#include <string.h>

enum {
  COMPARED = 256,  // bytes at a stack pointer
  PIECES = 32,
  WAIT_NS = 20000000,
};

// What of the child is to be compared with the copy; length 0 for a thread without one.
static struct memory_piece
piece_of(const struct snapshot_thread *t)
{
  uint64_t sp = t->registers.at[REG_SP];
  size_t skip = sp - t->copy_at;

  if (t->how != SNAPSHOT_STOPPED || t->copy_length <= skip)
    return (struct memory_piece){sp, 0, 0};
  size_t length = t->copy_length - skip;
  return (struct memory_piece){sp, length < COMPARED ? length : COMPARED, 0};
}

static unsigned char
verdict(const struct snapshot_thread *t, const struct memory_piece *piece, const void *now)
{
  const unsigned char *then = t->copy + (piece->address - t->copy_at);

  return piece->copied == piece->length && memcmp(now, then, piece->length) == 0 ? 1 : 2;
}

void
compare_in_child(const struct snapshot *s, struct outcome *outcome)
{
  for (int i = 0; i < s->count; i++) {
    unsigned char now[COMPARED];
    struct memory_piece piece = piece_of(&s->threads[i]);
    if (piece.length == 0)
      continue;
    piece.copied = memory_copy_alone(now, piece.length, piece.address);
    outcome->same[i] = verdict(&s->threads[i], &piece, now);
  }
  futex_set(&outcome->compared, 1);
}

// False where nothing of the child can be read.
static bool
read_child(const struct snapshot *s, int first, int count, pid_t child, unsigned char *room,
           unsigned char *verdicts)
{
  struct memory_piece pieces[PIECES];
  bool any = false, wanted = false;

  for (int i = 0; i < count; i++)
    pieces[i] = piece_of(&s->threads[first + i]);
  memory_copy_pieces(child, pieces, count, room);
  for (int i = 0; i < count; i++) {
    verdicts[i] = pieces[i].length ? verdict(&s->threads[first + i], &pieces[i], room) : 0;
    wanted = wanted || pieces[i].length;
    any = any || pieces[i].copied;
    room += pieces[i].length;
  }
  return any || !wanted;
}

void
compare_from_parent(const struct snapshot *s, struct outcome *outcome, pid_t child, void *room,
                    size_t size)
{
  unsigned char verdicts[PIECES];
  bool read = size >= PIECES * COMPARED;

  for (int i = 0; i < s->count && read && !outcome->compared; i += PIECES) {
    int count = s->count - i < PIECES ? s->count - i : PIECES;
    read = read_child(s, i, count, child, room, verdicts);
    // Read before the child was done comparing, so before it could change anything.
    if (read && !outcome->compared)
      memcpy(outcome->same + i, verdicts, (size_t)count);
  }
  if (!read)
    futex_wait_shared(&outcome->compared, WAIT_NS);
}
