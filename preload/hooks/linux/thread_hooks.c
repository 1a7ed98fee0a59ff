#include "libc/real_calls.h"
#include "threads/thread_table.h"

#include <errno.h>
#include <threads.h>

typedef void *(*pthread_start)(void *);

// libc's makes the thread without a call of pthread_create() that could be seen. What differs is
// only that the routine returns an int, of which thrd_join() looks at no more bits (glibc:
// nptl/thrd_create.c, nptl/thrd_join.c, thrd_err_map(); musl: src/thread/thrd_join.c).
FH_EXPORT int
thrd_create(thrd_t *thread, thrd_start_t start, void *argument)
{
  int error = thread_make(thread, NULL, (pthread_start)(void (*)(void))start, argument,
                          __builtin_return_address(0));

  return error == 0 ? thrd_success : error == ENOMEM ? thrd_nomem : thrd_error;
}

FH_EXPORT int
pthread_setname_np(pthread_t thread, const char *name)
{
  fh_real_resolve();
  int error = fh_real.pthread_setname_np(thread, name);

  if (!error)
    thread_named(thread, name);
  return error;
}
