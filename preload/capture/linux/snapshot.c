// Linux: the other threads are stopped by a helper task (helper_task.c, ptrace_stop.c); what cannot
// be stopped is read from /proc.
#include "snapshot_internal.h"

#include "os/descriptor.h"
#include "os/seccomp.h"
#include "os/kernel.h"
#include "os/memory.h"
#include "raw_syscall.h"
#include "process/sanitizer.h"

#include <errno.h>
#include <sys/mman.h>

enum { RED_ZONE = 128 };  // bytes below sp that a leaf function may use (x86-64 psABI 3.2.2)

// The copies stand close together: a page for each would cost more than the copying. glibc puts the
// thread's block, which fs points to, at the top of its stack: up to there it is memory. What else
// follows a stack pointer may be a device's, which the kernel alone refuses to read.
void
snapshot_copy_stacks(struct snapshot *s, int first, int end,
                     size_t (*copy)(void *to, size_t length, uint64_t address))
{
  for (int i = first; i < end; i++) {
    struct snapshot_thread *t = &s->threads[i];
    uint64_t sp = t->registers.at[REG_SP], top = t->thread_pointer;
    if (t->how == SNAPSHOT_NONE || t->copy || sp < RED_ZONE)
      continue;
    uint64_t at = sp - RED_ZONE;
    bool bounded = top > sp && top - at < s->stack_bytes;
    t->copy_at = at;
    t->copy = s->copies + s->copied;
    t->copy_length =
        bounded ? copy(t->copy, top - at, at) : memory_copy(t->copy, s->stack_bytes, at);
    s->copied += t->copy_length;
  }
}

void
snapshot_from_proc(struct snapshot_thread *t, const struct task_syscall *call)
{
  t->how = SNAPSHOT_PROC;
  t->registers.at[REG_SP] = call->sp;
  t->registers.at[REG_IP] = call->pc;
}

// Adds a tid not listed yet. The kernel lists tasks in the order of their creation, so the one
// after the last match is the first guess.
void
snapshot_list(pid_t tid, void *argument)
{
  struct listing *l = argument;
  struct snapshot *s = l->snapshot;

  if (tid == l->caller)
    return;
  if (l->hint < l->known && s->threads[l->hint].tid == tid) {
    l->hint++;
    return;
  }
  for (int i = 0; i < l->known; i++) {
    if (s->threads[i].tid == tid) {
      l->hint = i + 1;
      return;
    }
  }
  if (s->count == s->most)
    return;
  s->threads[s->count++] = (struct snapshot_thread){.tid = tid, .state = 'S'};
}

// Why ptrace must not be tried, or NULL.
static const char *
ptrace_obstacle(void)
{
  if (!task_can_list())
    return "/proc is not there, or of another PID namespace";
  if (sanitizer_is_valgrind())
    return "the program runs under valgrind";
  guard_look();
  if (guard_traced())
    return "the process is already traced";
  if (guard_filtered())
    return "a seccomp filter is in force";
  // The helper would be the first process of that namespace, and end it by its own end.
  if (!task_children_stay())
    return "children are in another PID namespace";
  return NULL;
}

// What the helper could not stop: a thread that is there at all counts, and what /proc says of it
// is taken.
static void
complete_from_proc(struct snapshot *s, pid_t pid, pid_t caller)
{
  struct listing l = {s, caller, s->count, 0};
  int kept = 0;

  s->listed = task_each(pid, snapshot_list, &l) >= 0;
  long folder = task_folder(pid);
  for (int i = 0; i < s->count; i++) {
    struct snapshot_thread *t = &s->threads[i];
    if (t->how == SNAPSHOT_NONE) {
      struct task_syscall call;
      if (!task_alive(pid, t->tid))
        continue;
      int sleeps = task_syscall(folder, t->tid, &call);
      t->state = sleeps == 0 ? 'R' : 'S';
      if (sleeps == 1)
        snapshot_from_proc(t, &call);
    }
    s->threads[kept++] = *t;
  }
  if (folder >= 0)
    descriptor_close(folder);
  s->threads[kept].tid = 0;
  s->count = kept;
  snapshot_copy_stacks(s, 0, s->count, memory_copy);
}

// All that there are, besides the caller.
static bool
has_stopped_all(const struct snapshot *s, long tasks)
{
  if (tasks - 1 != s->count)
    return false;
  for (int i = 0; i < s->count; i++) {
    if (s->threads[i].how != SNAPSHOT_STOPPED)
      return false;
  }
  return true;
}

static void
complete(struct snapshot *s, const struct helper *h)
{
  long tasks = task_count(h->pid);

  if (!s->why && tasks < 1)
    s->why = "the threads cannot be listed";
  if (!s->stopped && !s->why)
    s->why = "ptrace is refused";
  if (has_stopped_all(s, tasks))
    s->listed = true;
  else if (task_can_list())
    complete_from_proc(s, h->pid, h->caller);
}

struct snapshot *
snapshot_take(int most, size_t stack_bytes, enum capture_mode mode)
{
  pid_t pid = (pid_t)RAW(SYS_getpid);
  pid_t caller = (pid_t)RAW(SYS_gettid);
  uint64_t begin = kernel_clock();
  size_t table = sizeof(struct snapshot) + ((size_t)most + 1) * sizeof(struct snapshot_thread);
  size_t per_thread = stack_bytes + 1 + sizeof(int);  // copy, progress, wait status
  size_t size = table + (size_t)most * per_thread + 64 + helper_bytes();

  table = (table + 63) / 64 * 64;
  size = (size + 64 + 4095) / 4096 * 4096;
  long address = RAW(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address < 0)
    return NULL;
  struct snapshot *s = (struct snapshot *)address;
  s->mapped = size;
  s->most = most;
  s->stack_bytes = stack_bytes;
  s->copies = (unsigned char *)s + table;

  s->helper = (unsigned char *)s + size - helper_bytes();

  struct helper *h = s->helper;
  h->snapshot = s;
  h->pid = pid;
  h->caller = caller;
  h->task = -1;

  s->why = mode == CAPTURE_PROC ? "capture=proc" : ptrace_obstacle();
  if (!s->why && mode == CAPTURE_EXACT)
    s->at_clone = helper_run_exact(h);
  if (!s->why && !s->at_clone)
    helper_run(h);
  if (!s->at_clone)
    complete(s, h);
  s->capture_ns = kernel_clock() - begin;
  return s;
}

void
snapshot_finish(struct snapshot *s)
{
  struct helper *h = s->helper;

  if (!s->at_clone)
    return;
  helper_finish_exact(h);
  complete(s, h);
}

// Where threads could be stopped a helper may be made. Calls of memcpy() and its like, which a
// sanitizer takes over, would look at the thread that it believes to be in.
bool
snapshot_run_helper(struct snapshot *s, void (*function)(void *), void *argument)
{
  struct helper *h = s->helper;

  if (!s->stopped || sanitizer_refuses())
    return false;
  h->function = function;
  h->argument = argument;
  return helper_run_function(h);
}

void
snapshot_free(struct snapshot *s)
{
  RAW(SYS_munmap, s, s->mapped);
}

const char *
snapshot_means(const struct snapshot *s)
{
  return s->stopped ? "ptrace" : "proc";
}

const char *
snapshot_instead(void)
{
  return "Stacks are from /proc";
}

void
snapshot_name(const struct snapshot *s, int i, char *name, size_t size)
{
  task_name((pid_t)RAW(SYS_getpid), s->threads[i].tid, name, size);
}
