// Linux: the other threads are stopped by a helper task (helper_linux.c, stop_linux.c); what cannot
// be stopped is read from /proc.
#include "snapshot_linux.h"

#include "guard.h"
#include "kernel.h"
#include "memory.h"
#include "raw_syscall.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>

enum { RED_ZONE = 128 };  // bytes below sp that a leaf function may use (x86-64 psABI 3.2.2)

void
snapshot_copy_stack(struct snapshot *s, struct snapshot_thread *t, pid_t pid, uint64_t tcb)
{
  uint64_t sp = t->registers.at[REG_SP];
  size_t length = s->stack_bytes;

  if (sp < RED_ZONE)
    return;
  t->copy_at = sp - RED_ZONE;
  if (tcb > sp && tcb - t->copy_at < length)
    length = tcb - t->copy_at;
  if (guard_filtered()) {
    t->copy_length = memory_copy(t->copy, length, t->copy_at);
    return;
  }
  struct iovec local = {t->copy, length};
  struct iovec remote = {(void *)t->copy_at, length};
  long n = RAW(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0);
  t->copy_length = n > 0 ? (size_t)n : 0;
}

void
snapshot_from_proc(struct snapshot *s, struct snapshot_thread *t, pid_t pid,
                   const struct task_syscall *call)
{
  t->how = SNAPSHOT_PROC;
  t->registers.at[REG_SP] = call->sp;
  t->registers.at[REG_IP] = call->pc;
  snapshot_copy_stack(s, t, pid, 0);
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
  if (l->hint < s->count && s->threads[l->hint].tid == tid) {
    l->hint++;
    return;
  }
  for (int i = 0; i < s->count; i++) {
    if (s->threads[i].tid == tid) {
      l->hint = i + 1;
      return;
    }
  }
  if (s->count == s->most)
    return;
  struct snapshot_thread *t = &s->threads[s->count];
  t->tid = tid;
  t->how = SNAPSHOT_NONE;
  t->state = 'S';
  t->copy = s->copies + (size_t)s->count * s->stack_bytes;
  t->copy_length = 0;
  s->count++;
  l->hint = s->count;
}

// Why ptrace must not be tried, or NULL.
static const char *
ptrace_obstacle(void)
{
  if (!task_can_list())
    return "/proc is not there, or of another PID namespace";
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
  struct listing l = {s, caller, 0};
  int kept = 0;

  s->listed = task_each(pid, snapshot_list, &l) >= 0;
  for (int i = 0; i < s->count; i++) {
    struct snapshot_thread *t = &s->threads[i];
    if (t->how == SNAPSHOT_NONE) {
      struct task_syscall call;
      if (!task_alive(pid, t->tid))
        continue;
      int sleeps = task_syscall(pid, t->tid, &call);
      t->state = sleeps == 0 ? 'R' : 'S';
      if (sleeps == 1)
        snapshot_from_proc(s, t, pid, &call);
    }
    s->threads[kept++] = *t;
  }
  s->threads[kept].tid = 0;
  s->count = kept;
}

static void
complete(struct snapshot *s, const struct helper *h)
{
  if (!s->why && task_count(h->pid) < 1)
    s->why = "the threads cannot be listed";
  if (!s->stopped && !s->why)
    s->why = "ptrace is refused";
  if (task_can_list())
    complete_from_proc(s, h->pid, h->caller);
}

// At the far end of the helper's stack.
static struct helper *
helper_of(struct snapshot *s)
{
  return (struct helper *)(void *)((unsigned char *)s + s->mapped - SNAPSHOT_HELPER_BYTES);
}

struct snapshot *
snapshot_take(int most, size_t stack_bytes, enum capture_mode mode)
{
  pid_t pid = (pid_t)RAW(SYS_getpid);
  pid_t caller = (pid_t)RAW(SYS_gettid);
  uint64_t begin = kernel_clock();
  size_t table = sizeof(struct snapshot) + ((size_t)most + 1) * sizeof(struct snapshot_thread);
  size_t per_thread = stack_bytes + 1 + sizeof(int);  // copy, progress, wait status
  size_t size = table + (size_t)most * per_thread + 64 + SNAPSHOT_HELPER_BYTES;

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

  struct helper *h = helper_of(s);
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
  struct helper *h = helper_of(s);

  if (!s->at_clone)
    return;
  helper_finish_exact(h);
  complete(s, h);
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
