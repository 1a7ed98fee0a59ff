// truth: outcome=hazard threads=3 groups=1_python,1_program
// Python within a program: its thread is in the Python function wait(), the other is no thread of
// Python's, and the fork is Python's.
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
