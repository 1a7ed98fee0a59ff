#include "interpose.h"
#include "thread.h"

FH_EXPORT int
pthread_setname_np(pthread_t thread, const char *name)
{
  fh_real_resolve();
  int error = fh_real.pthread_setname_np(thread, name);

  if (!error)
    thread_named(thread, name);
  return error;
}
