#include "capture/stack_check.h"

#include "os/seccomp.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 40, STACK = 600 };

static unsigned char stacks[THREADS][STACK], copies[THREADS][STACK];

bool
guard_filtered(void)
{
  return false;
}

bool
guard_allows(long number)
{
  (void)number;
  return true;
}

// Of a stopped thread with a short or a long stack.
static struct snapshot_thread
thread(int i)
{
  struct snapshot_thread t = {.tid = i + 1, .how = SNAPSHOT_STOPPED};

  memset(stacks[i], i + 1, STACK);
  memcpy(copies[i], stacks[i], STACK);
  t.copy = copies[i];
  t.copy_at = (uint64_t)(uintptr_t)stacks[i];
  t.copy_length = i % 2 ? STACK : 140;
  t.registers.at[REG_SP] = t.copy_at + 128;
  return t;
}

static struct snapshot *
snapshot(void)
{
  struct snapshot *s = calloc(1, sizeof *s + (THREADS + 1) * sizeof s->threads[0]);

  s->count = s->most = THREADS;
  for (int i = 0; i < THREADS; i++)
    s->threads[i] = thread(i);
  s->threads[7].how = SNAPSHOT_NONE;
  s->threads[8].how = SNAPSHOT_PROC;
  // What other threads did between the capture and the clone.
  stacks[3][128] ^= 1;
  stacks[4][128 + 11] ^= 1;
  stacks[5][128 + 255] ^= 1;
  stacks[6][140] ^= 1;                       // behind the copy
  stacks[9][128 + 256] ^= 1;                 // behind what is compared
  s->threads[10].registers.at[REG_SP] = 64;  // nothing is mapped there
  s->threads[10].copy_at = 0;
  return s;
}

static struct outcome *
outcome(void)
{
  return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void
expect(const struct outcome *o)
{
  for (int i = 0; i < THREADS; i++) {
    int expected = i == 7 || i == 8 ? 0 : (i >= 3 && i <= 5) || i == 10 ? 2 : 1;
    cr_expect_eq(o->same[i], expected, "thread %d: %d", i, o->same[i]);
  }
}

Test(compare, in_child)
{
  struct snapshot *s = snapshot();
  struct outcome *o = outcome();

  compare_in_child(s, o);
  cr_expect_eq(o->compared, 1);
  expect(o);
  free(s);
}

// The child never comes to compare.
Test(compare, from_parent)
{
  struct snapshot *s = snapshot();
  struct outcome *o = outcome();
  pid_t child = fork();

  if (child == 0) {
    pause();
    _exit(0);
  }
  memset(stacks, 0xff, sizeof stacks);  // the parent's own no longer count
  compare_from_parent(s, o, child);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  cr_expect_eq(o->compared, 0);
  expect(o);
  free(s);
}

// The child has: what its memory holds now is no more what it inherited.
Test(compare, from_parent_too_late)
{
  struct snapshot *s = snapshot();
  struct outcome *o = outcome();
  pid_t child = fork();

  if (child == 0) {
    compare_in_child(s, o);
    memset(stacks, 0xff, sizeof stacks);
    pause();
    _exit(0);
  }
  while (!o->compared)
    continue;
  compare_from_parent(s, o, child);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  expect(o);
  free(s);
}
