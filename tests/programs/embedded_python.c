// Python within a program. A hazard: besides the main thread there are one that Python made, in its
// function wait(), and one of the program's own, which is no Python thread; the fork is Python's.
#include <Python.h>
#include <pthread.h>
#include <unistd.h>

static void *
idle(void *unused)
{
  for (;;)
    pause();
  return unused;
}

int
main(void)
{
  pthread_t thread;

  Py_Initialize();
  if (pthread_create(&thread, NULL, idle, NULL) != 0)
    return 1;
  PyRun_SimpleString("import os, sys, threading, time\n"
                     "sys.setswitchinterval(1000)\n"
                     "ready = threading.Event()\n"
                     "def wait():\n"
                     "  ready.set()\n"
                     "  time.sleep(1000)\n"
                     "threading.Thread(target=wait, daemon=True).start()\n"
                     "ready.wait()\n"
                     "child = os.fork()\n"
                     "if child == 0: time.sleep(0.3); os._exit(0)\n"
                     "os.waitpid(child, 0)\n"
                     "os._exit(0)\n");
  return 1;
}
