#include "python_wait.h"
#include "inspect/imports.h"
#include "base/json_fields.h"
#include "inspect/live_python.h"
#include "process/procfs.h"
#include "finding.h"
#include "base/message.h"

#include <stdlib.h>
#include <string.h>

// How CPython waits. Up to 3.12 all locks are semaphores; since then some are bytes, with a place
// to sleep at that is used for events too: the end of a thread, a queue.
enum manner { NOT_PYTHON, UNINTERRUPTED, INTERRUPTED, PARKED_FOR_LOCK, PARKED_FOR_EVENT };

// Told by the first functions outside the C library.
static enum manner
manner_of(const json_t *stack)
{
  bool parked = false;
  size_t i;
  json_t *frame;
  json_array_foreach((json_t *)(uintptr_t)stack, i, frame)
  {
    const char *module = get_string(frame, "module"), *name = module ? base_name(module) : "";
    const char *function = get_string(frame, "function");
    if (!strncmp(name, "libc.so", 7) || !strncmp(name, "libpthread", 10))
      continue;
    if (function &&
        (!strncmp(function, "_PySemaphore_", 13) || !strcmp(function, "_PyParkingLot_Park"))) {
      parked = true;
      continue;
    }
    if (parked)
      return function &&
                     (!strcmp(function, "_PyMutex_LockTimed") || !strcmp(function, "PyMutex_Lock"))
                 ? PARKED_FOR_LOCK
                 : PARKED_FOR_EVENT;
    return !function                                          ? NOT_PYTHON
           : !strcmp(function, "PyThread_acquire_lock_timed") ? INTERRUPTED
           : !strcmp(function, "PyThread_acquire_lock")       ? UNINTERRUPTED
                                                              : NOT_PYTHON;
  }
  return NOT_PYTHON;
}

// A program that has CPython in itself may give a state to any thread without a trace.
static bool
is_python(pid_t pid)
{
  char *exe = procfs_exe(pid);
  bool is = !strncmp(base_name(exe), "python", 6);
  free(exe);
  return is;
}

static bool
ends_with(const char *text, const char *end)
{
  size_t length = text ? strlen(text) : 0, of_end = strlen(end);
  return length >= of_end && !strcmp(text + length - of_end, end);
}

// In the standard library such waits take a lock a second time.
static bool
waits_for_event(struct live_python *python, pid_t tid)
{
  json_t *holder = json_object();
  live_python_add(python, tid, holder);
  const json_t *frame = json_array_get(json_object_get(holder, "python"), 0);
  const char *function = get_string(frame, "function");
  bool is = ends_with(get_string(frame, "file"), "/threading.py") &&
            (ends_with(function, "wait") || ends_with(function, "join") ||
             ends_with(function, "_wait_for_tstate_lock"));
  json_decref(holder);
  return is;
}

struct python_wait
python_wait_at(pid_t pid, const struct task_wait *task, const json_t *stack)
{
  struct python_wait lock = {0};
  enum manner manner = stack ? manner_of(stack) : INTERRUPTED;
  struct live_python *python = manner == NOT_PYTHON ? NULL : live_python_open(pid);
  if (!python)
    return lock;
  struct live_python_lock known = live_python_lock(python, task);
  lock.owned = known.type == PYTHON_RLOCK;
  lock.kind = lock.owned ? "threading.RLock" : "lock of CPython";
  // Python's main thread is the only one that runs handlers.
  lock.interrupted = task->tid == pid && manner != UNINTERRUPTED;
  lock.elsewhere = known.elsewhere;
  lock.designed = manner == PARKED_FOR_EVENT || known.type == PYTHON_SIMPLE_QUEUE ||
                  waits_for_event(python, task->tid);
  lock.lost =
      lock.owned ? known.owner_gone : known.alone && is_python(pid) && !gives_python_states(pid);
  live_python_close(python);
  return lock;
}

void
python_wait_say(json_t *proof, const struct python_wait *lock)
{
  if (lock->owned) {
    proof_say(proof, xstrdup("the RLock's owner is no Python thread of this process: it was left "
                             "behind by the fork"));
    proof_say(proof, xstrdup("an RLock refuses to be released by another thread than its owner: it "
                             "will never be released"));
    return;
  }
  proof_say(proof, xstrdup("only a thread with a Python state can release a lock of CPython's, and "
                           "the waiting one is the only one in this process"));
  proof_say(proof,
            xstrdup("no module of the process but CPython could give one to another thread"));
}
