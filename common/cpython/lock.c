#include "reader_internal.h"

#include <string.h>

enum { WORD = sizeof(uint64_t), MOST_NAME = 32, FRAME_WORDS = 96, MOST_FRAMES = 64 };

static const char *const names[PYTHON_LOCK_TYPES] = {
    [PYTHON_LOCK] = "_thread.lock",
    [PYTHON_RLOCK] = "_thread.RLock",
    [PYTHON_SIMPLE_QUEUE] = "_queue.SimpleQueue",
};

static bool
is_named(struct python *p, uint64_t object, const char *name)
{
  char its[MOST_NAME];
  size_t length = strlen(name) + 1;
  uint64_t type = pages_pointer(&p->pages, object + p->layout.object_type);
  uint64_t text = type ? pages_pointer(&p->pages, type + p->layout.type_name) : 0;

  return text && pages_read(&p->pages, text, its, length) && !memcmp(its, name, length);
}

static enum python_lock_type
type_of(struct python *p, uint64_t object)
{
  for (int i = PYTHON_LOCK; i < PYTHON_LOCK_TYPES; i++)
    if (is_named(p, object, names[i]))
      return (enum python_lock_type)i;
  return PYTHON_NO_LOCK;
}

// Each has the pointer to its lock right behind the head of an object; an RLock after it the
// owner's pthread_t, and how often that has taken it (rlockobject in Modules/_threadmodule.c).
struct python_lock
python_lock_among(struct python *p, const uint64_t *words, size_t count, uint64_t lock)
{
  uint64_t head = p->layout.object_type + WORD;

  for (size_t i = 0; *p->version && i < count; i++) {
    struct python_lock found = {.object = words[i]};
    if (found.object % WORD || !found.object ||
        pages_pointer(&p->pages, found.object + head) != lock)
      continue;
    found.type = type_of(p, found.object);
    if (found.type == PYTHON_RLOCK && pages_pointer(&p->pages, found.object + head + 2 * WORD))
      found.owner = pages_pointer(&p->pages, found.object + head + WORD);
    if (found.type != PYTHON_NO_LOCK)
      return found;
  }
  return (struct python_lock){0};
}

// A `with` statement keeps the method that releases the lock: a PyCFunctionObject, whose second
// word behind the head of an object is the lock. What lies behind the end of a frame may name one
// that was freed: then its count of references is 0, or has become a pointer.
static bool
releases(struct python *p, uint64_t method, uint64_t object)
{
  enum { MOST_REFERENCES = 1 << 20 };
  uint64_t head = p->layout.object_type + WORD, references;

  return method && method % WORD == 0 && pages_pointer(&p->pages, method + head + WORD) == object &&
         pages_read(&p->pages, method, &references, sizeof references) && references > 0 &&
         references < MOST_REFERENCES;
}

static bool
has_word(const uint64_t *words, size_t count, uint64_t word)
{
  for (size_t i = 0; i < count; i++)
    if (words[i] == word)
      return true;
  return false;
}

// The thread that waits may have taken the memory of a method that was freed for its own: words of
// its stack and of its frame.
struct own_words {
  const uint64_t *stack;
  size_t count;
  uint64_t frame[FRAME_WORDS];
};

static bool
frame_has(struct python *p, uint64_t frame, uint64_t object, const struct own_words *own)
{
  uint64_t words[FRAME_WORDS];
  bool all = pages_read(&p->pages, frame, words, sizeof words);

  for (int i = 0; all && i < FRAME_WORDS; i++)
    if (releases(p, words[i] & ~p->layout.frame_tag, object) &&
        !has_word(own->stack, own->count, words[i]) && !has_word(own->frame, FRAME_WORDS, words[i]))
      return true;
  return false;
}

bool
python_others_have(struct python *p, pid_t tid, uint64_t object, const uint64_t *stack,
                   size_t count)
{
  struct own_words own = {.stack = stack, .count = count};
  struct python_frame innermost;
  bool cut;

  if (python_frames(p, tid, &innermost, 1, &cut) < 0 ||
      !pages_read(&p->pages, p->states[p->latest_state].frame, own.frame, sizeof own.frame))
    return true;
  for (int i = 0; i < p->state_count; i++) {
    uint64_t frame = i == p->latest_state ? 0 : p->states[i].frame;
    for (int n = 0; frame && n < MOST_FRAMES; n++) {
      if (frame_has(p, frame, object, &own))
        return true;
      frame = pages_pointer(&p->pages, frame + p->layout.frame_back);
    }
  }
  return false;
}

bool
python_has_thread(const struct python *p, uint64_t descriptor)
{
  for (int i = 0; i < p->state_count; i++)
    if (p->states[i].descriptor == descriptor)
      return true;
  return false;
}

int
python_thread_count(const struct python *p)
{
  return *p->version && !p->note ? p->state_count : 0;
}
