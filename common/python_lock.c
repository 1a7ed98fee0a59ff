#include "python_reader.h"

#include <string.h>

enum { WORD = sizeof(uint64_t), MOST_NAME = 32 };

static const char *const names[PYTHON_LOCKS] = {
    [PYTHON_LOCK] = "_thread.lock",
    [PYTHON_RLOCK] = "_thread.RLock",
    [PYTHON_SIMPLE_QUEUE] = "_queue.SimpleQueue",
};

static enum python_lock
type_of(struct python *p, uint64_t object)
{
  char name[MOST_NAME];
  uint64_t type = pages_pointer(&p->pages, object + p->layout.object_type);
  uint64_t text = type ? pages_pointer(&p->pages, type + p->layout.type_name) : 0;

  for (int i = PYTHON_LOCK; text && i < PYTHON_LOCKS; i++) {
    size_t length = strlen(names[i]) + 1;
    if (pages_read(&p->pages, text, name, length) && !memcmp(name, names[i], length))
      return (enum python_lock)i;
  }
  return PYTHON_NO_LOCK;
}

// Each has the pointer to its lock right behind the head of an object; an RLock after it the
// owner's pthread_t, and how often that has taken it (rlockobject in Modules/_threadmodule.c).
enum python_lock
python_lock_among(struct python *p, const uint64_t *words, size_t count, uint64_t lock,
                  uint64_t *owner)
{
  uint64_t head = p->layout.object_type + WORD;

  *owner = 0;
  for (size_t i = 0; *p->version && i < count; i++) {
    uint64_t object = words[i];
    if (object % WORD || !object || pages_pointer(&p->pages, object + head) != lock)
      continue;
    enum python_lock type = type_of(p, object);
    if (type == PYTHON_RLOCK && pages_pointer(&p->pages, object + head + 2 * WORD))
      *owner = pages_pointer(&p->pages, object + head + WORD);
    if (type != PYTHON_NO_LOCK)
      return type;
  }
  return PYTHON_NO_LOCK;
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
