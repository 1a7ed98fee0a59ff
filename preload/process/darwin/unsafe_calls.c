// Of the calls that are not allowed in the child of a multithreaded fork only pthread_create() is
// noted: the others would need wrappers that hand on unknown arguments.
#include "process/unsafe_calls.h"

#include <stdatomic.h>
#include <stdbool.h>

static _Atomic bool watched, thread_made;

void
unsafe_calls_resolve(void)
{
}

void
unsafe_calls_watch(void)
{
  watched = true;
  thread_made = false;
}

void
unsafe_calls_thread(void)
{
  if (watched)
    thread_made = true;
}

void
unsafe_calls_add(struct text *t, const char *key)
{
  if (thread_made)
    text_add(t, ",\"%s\":[\"pthread_create\"]", key);
}
