// A library to be preloaded: after each fork it starts a thread in the child, as telemetry does
// (test_python_locks.py). The thread is none of Python's.
#include <pthread.h>
#include <unistd.h>

static void *
report(void *unused)
{
  for (;;)
    usleep(100000);
  return unused;
}

static void
start(void)
{
  pthread_t thread;

  pthread_create(&thread, NULL, report, NULL);
  pthread_detach(thread);
}

__attribute__((constructor)) static void
prepare(void)
{
  pthread_atfork(NULL, NULL, start);
}
