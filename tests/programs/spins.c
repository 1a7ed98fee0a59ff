// The child of a process with a thread is busy in the way named (test_suspect.py): it waits for
// ever in user space, or it computes.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_spinlock_t spinlock;
static atomic_flag flag = ATOMIC_FLAG_INIT;
static atomic_int *shared, word = 1;
static volatile sig_atomic_t stop;
static pthread_barrier_t ready;
static const char *kind;

static int
is(const char *name)
{
  return strcmp(kind, name) == 0;
}

static void *
holder(void *unused)
{
  pthread_spin_lock(&spinlock);
  (void)atomic_flag_test_and_set(&flag);
  pthread_barrier_wait(&ready);
  if (is("released")) {
    usleep(2500000);
    atomic_store(shared, 0);
  }
  pause();
  return unused;
}

static double
seconds(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void
on_alarm(int number)
{
  (void)number;
  stop = 1;
}

static __attribute__((noinline)) void
spin_in_child(void)
{
  if (is("pthread")) {
    pthread_spin_lock(&spinlock);
  } else if (is("test_and_set")) {
    while (atomic_flag_test_and_set(&flag))
      ;
  } else if (is("yield")) {
    while (atomic_load_explicit(&word, memory_order_acquire))
      sched_yield();
  } else if (is("counted")) {
    // As GNU OpenMP waits with OMP_WAIT_POLICY=active.
    for (unsigned long i = 0; i < 30000000000; i++) {
      if (!atomic_load_explicit(&word, memory_order_relaxed))
        break;
      __builtin_ia32_pause();
    }
  }
}

static uint64_t
hash(uint64_t x)
{
  for (unsigned i = 0; i < 100000000; i++)
    x = (x ^ x >> 31) * 0x9e3779b97f4a7c15;
  return x;
}

// Each of these goes round one little loop for most of its time.
static __attribute__((noinline)) void
compute_in_child(void)
{
  static volatile uint64_t result;
  static volatile uint32_t count, limit;
  static char from[1 << 20], to[1 << 20];
  double end = seconds() + 4;

  if (is("alarm")) {
    signal(SIGALRM, on_alarm);
    alarm(4);
    while (!stop)
      ;
    return;
  }
  if (is("released")) {
    while (atomic_load(shared))
      ;
    return;
  }
  if (is("delay")) {
    for (limit = 1500000000, count = 0; count < limit; count++)
      ;
    return;
  }
  if (is("atomic")) {
    for (int i = 0; i < 500000000; i++)
      atomic_fetch_add(&word, 256);
    return;
  }
  while (seconds() < end) {
    if (is("hash")) {
      result = hash(result);
    } else if (is("memory")) {
      memcpy(to, from, sizeof to);
      result = (uint64_t)to[result % sizeof to];
    } else if (is("zeros")) {
      const volatile char *c = from;
      for (size_t i = 0; i < sizeof from; i++)
        result += (uint64_t)c[i];
    } else if (is("floating")) {
      double sum = 0;
      for (int i = 1; i < 10000000; i++)
        sum += 1.0 / i;
      result = (uint64_t)sum;
    }
  }
}

int
main(int argc, char **argv)
{
  pthread_t thread;
  int status;

  kind = argc > 1 ? argv[1] : "pthread";
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  atomic_store(shared, 1);
  pthread_spin_init(&spinlock, PTHREAD_PROCESS_PRIVATE);
  pthread_barrier_init(&ready, NULL, 2);
  pthread_create(&thread, NULL, holder, NULL);
  pthread_barrier_wait(&ready);
  pid_t child = fork();
  if (child == 0) {
    spin_in_child();
    compute_in_child();
    _exit(0);
  }
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
