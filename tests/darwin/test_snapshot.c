// The Darwin files of the library over fake_mach.c: threads are listed, suspended, walked and let
// go, and every right that the kernel gave goes back.
#include "fake_mach.h"
#include "os/memory.h"
#include "capture/snapshot.h"
#include "os/task.h"
#include "unwind/unwind.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS = 8, STACK = 16384 };

static _Atomic int sleeping, leave;
static int pipe_fds[2];

static __attribute__((noinline)) void
innermost(void)
{
  char byte;

  sleeping++;
  while (!leave && read(pipe_fds[0], &byte, 1) < 0)
    ;
  __asm__ volatile("");  // no tail call
}

static __attribute__((noinline)) void
outer(void)
{
  innermost();
  __asm__ volatile("");
}

static void *
sleeper(void *unused)
{
  pthread_setname_np(pthread_self(), "sleeper");
  outer();
  return unused;
}

static pthread_t threads[THREADS];

static void
start_threads(void)
{
  cr_assert_eq(pipe(pipe_fds), 0);
  for (int i = 0; i < THREADS; i++)
    pthread_create(&threads[i], NULL, sleeper, NULL);
  while (sleeping < THREADS)
    usleep(100);
}

static void
end_threads(void)
{
  leave = 1;
  close(pipe_fds[1]);
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
}

static void
expect_balance(void)
{
  struct fake_mach_balance balance = fake_mach_balance();

  cr_expect_eq(balance.rights, 0, "%ld rights to ports were not given back", balance.rights);
  cr_expect_eq(balance.arrays, 0, "%ld arrays of task_threads() were not freed", balance.arrays);
  cr_expect_eq(balance.suspended, 0, "%ld threads are left suspended", balance.suspended);
  cr_expect_eq(balance.mistakes, 0, "%ld mistakes", balance.mistakes);
}

static void
count_one(pid_t tid, void *argument)
{
  char name[17];

  task_name(getpid(), tid, name, sizeof name);
  if (task_alive(getpid(), tid) && strcmp(name, "sleeper") == 0)
    ++*(int *)argument;
}

Test(darwin, lists_and_names_threads)
{
  int named = 0;

  start_threads();
  cr_expect_geq(task_count(getpid()), THREADS + 1);
  cr_expect_eq(task_each(getpid(), count_one, &named), 0);
  cr_expect_eq(named, THREADS);
  cr_expect_eq(task_main(), getpid());
  cr_expect_not(task_alive(getpid(), 999999999));
  expect_balance();
  end_threads();
}

// The address lies in the function that begins there; all of them are short.
static bool
lies_in(uint64_t pc, void (*function)(void))
{
  return pc - (uint64_t)(uintptr_t)function < 200;
}

static bool
stack_has(const struct snapshot_thread *t, void (*function)(void))
{
  struct stack_copy copy = {&t->registers, t->copy, t->copy_at, t->copy_length};
  struct frame frames[64];
  int n = unwind_stack(&copy, frames, 64);

  for (int i = 0; i < n; i++) {
    if (lies_in(frames[i].pc, function))
      return true;
  }
  return false;
}

static int
sleepers(const struct snapshot *s)
{
  int n = 0;

  for (int i = 0; i < s->count; i++) {
    char name[17];
    snapshot_name(s, i, name, sizeof name);
    n += strcmp(name, "sleeper") == 0 && s->threads[i].how == SNAPSHOT_STOPPED;
  }
  return n;
}

Test(darwin, suspends_copies_and_resumes)
{
  start_threads();
  struct snapshot *s = snapshot_take(THREADS + 16, STACK, CAPTURE_AUTO);
  cr_assert(s);
  expect_balance();
  cr_expect_geq(fake_mach_balance().suspends, THREADS);
  cr_expect(s->stopped && s->listed && !s->why);
  cr_expect_eq(sleepers(s), THREADS);
  for (int i = 0; i < s->count; i++)
    cr_expect_neq(s->threads[i].tid, getpid(), "the caller is in its own snapshot");
  cr_expect_eq(s->threads[s->count].tid, 0);
  snapshot_free(s);
  expect_balance();
  end_threads();
}

// Where a thread stands in a chain of frames that is whole, as all are on Darwin.
static _Atomic int spinning;

static __attribute__((noinline)) void
spin(void)
{
  spinning = 1;
  while (!leave)
    ;
  __asm__ volatile("");
}

static __attribute__((noinline)) void
spin_outer(void)
{
  spin();
  __asm__ volatile("");
}

static void *
spinner(void *unused)
{
  spin_outer();
  return unused;
}

Test(darwin, walks_the_frames_of_a_copy)
{
  pthread_t thread;

  pthread_create(&thread, NULL, spinner, NULL);
  while (!spinning)
    ;
  struct snapshot *s = snapshot_take(16, STACK, CAPTURE_AUTO);
  cr_assert(s);
  bool found = false;
  for (int i = 0; i < s->count; i++) {
    if (!lies_in(s->threads[i].registers.at[REG_IP], spin))
      continue;
    found = true;
    cr_expect(stack_has(&s->threads[i], spin_outer));
    cr_expect_eq(s->threads[i].state, 'R');
  }
  cr_expect(found, "no thread stands in spin()");
  snapshot_free(s);
  expect_balance();
  leave = 1;
  pthread_join(thread, NULL);
}

Test(darwin, a_full_snapshot_gives_back_the_rest)
{
  start_threads();
  struct snapshot *s = snapshot_take(3, STACK, CAPTURE_AUTO);
  cr_assert(s);
  cr_expect_eq(s->count, 3);
  snapshot_free(s);
  expect_balance();
  end_threads();
}

Test(darwin, without_a_stop_threads_are_only_listed)
{
  start_threads();
  struct snapshot *s = snapshot_take(THREADS + 16, STACK, CAPTURE_PROC);
  cr_assert(s);
  cr_expect_geq(s->count, THREADS);
  cr_expect_not(s->stopped);
  cr_expect(s->why != NULL);
  cr_expect_eq(fake_mach_balance().suspends, 0);
  snapshot_free(s);
  expect_balance();
  end_threads();
}

Test(darwin, memory_is_copied_up_to_the_first_hole)
{
  size_t page = 4096;
  unsigned char *two =
      mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned char to[600];

  memset(two, 7, page);
  munmap(two + page, page);
  cr_expect_eq(memory_copy(to, sizeof to, (uint64_t)(uintptr_t)two), sizeof to);
  cr_expect_eq(memory_copy(to, sizeof to, (uint64_t)(uintptr_t)two + page - 100), 100);
  cr_expect_eq(to[99], 7);
  cr_expect_eq(memory_copy(to, sizeof to, 8), 0);
}

// Our own stack, as in a fork handler: libunwind's walk of the live stack replaces the frames of
// the copy from the common caller on.
static __attribute__((noinline)) int
walk_below(const struct stack_copy *copy, struct frame *frames)
{
  int n = unwind_own_stack(copy, frames, 64);

  __asm__ volatile("");
  return n;
}

static __attribute__((noinline)) void
take_copy(struct registers *r, unsigned char *bytes, size_t *length)
{
  registers_here(r);
  *length = memory_copy_own_stack(bytes, STACK, r->at[REG_SP]);
}

static __attribute__((noinline)) void
own_stack_test(void)
{
  static unsigned char bytes[STACK];
  struct registers r;
  struct stack_copy copy = {.registers = &r, .bytes = bytes};
  struct frame frames[64], plain[64];

  take_copy(&r, bytes, &copy.length);
  copy.address = r.at[REG_SP];
  int n = walk_below(&copy, frames);
  int m = unwind_stack(&copy, plain, 64);
  cr_assert_geq(n, 2);
  cr_expect(lies_in(frames[0].pc, (void (*)(void))take_copy));
  for (int i = 0; i < n && i < m; i++) {
    cr_expect_eq(frames[i].pc, plain[i].pc, "frame %d", i);
    cr_expect_eq(frames[i].slot, plain[i].slot, "frame %d", i);
  }
}

Test(darwin, both_walks_of_the_own_stack_agree)
{
  own_stack_test();
}
