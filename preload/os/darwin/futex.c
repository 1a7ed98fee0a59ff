// There is no public wait for a word that two processes share before macOS 14.4: it is looked at
// again and again, for the few milliseconds that such a wait takes.
#include "os/futex.h"

#include "os/kernel.h"

#include <errno.h>
#include <time.h>

enum { SLEEP_NS = 200000 };

void
futex_set(_Atomic int *word, int value)
{
  atomic_store(word, value);
}

int
futex_spin(_Atomic int *word, uint64_t ns)
{
  uint64_t begin = kernel_clock();

  while (atomic_load(word) == 0 && kernel_clock() - begin <= ns)
    kernel_yield();
  return atomic_load(word);
}

int
futex_wait_shared(_Atomic int *word, long ns)
{
  const struct timespec moment = {0, SLEEP_NS};
  uint64_t begin = kernel_clock();
  int saved = errno;

  futex_spin(word, FUTEX_SPIN_NS);
  while (atomic_load(word) == 0 && kernel_clock() - begin <= (uint64_t)ns)
    nanosleep(&moment, NULL);
  errno = saved;
  return atomic_load(word);
}
