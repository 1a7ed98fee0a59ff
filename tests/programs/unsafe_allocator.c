// Preloaded into before_exec.c: an allocator with a lock of its own and no fork handlers. It never
// frees.
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER = 16, ARENA = 1 << 30 };

static pthread_mutex_t allocator_lock = PTHREAD_MUTEX_INITIALIZER;
static char *next;

static void *
take(size_t alignment, size_t size)
{
  pthread_mutex_lock(&allocator_lock);
  if (!next)
    next = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
  uintptr_t at = ((uintptr_t)next + HEADER + alignment - 1) & -alignment;
  next = (char *)at + size;
  pthread_mutex_unlock(&allocator_lock);
  *(size_t *)(at - HEADER) = size;
  return (void *)at;
}

void *
malloc(size_t size)
{
  return take(16, size);
}

void *
calloc(size_t count, size_t size)
{
  return take(16, count * size);
}

void *
realloc(void *old, size_t size)
{
  void *new = take(16, size);
  size_t had = old ? *(size_t *)((char *)old - HEADER) : 0;

  if (had)
    memcpy(new, old, had < size ? had : size);
  return new;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
  return take(alignment < 16 ? 16 : alignment, size);
}

void *
memalign(size_t alignment, size_t size)
{
  return aligned_alloc(alignment, size);
}

int
posix_memalign(void **to, size_t alignment, size_t size)
{
  *to = aligned_alloc(alignment, size);
  return 0;
}

void
free(void *memory)
{
  (void)memory;
}

// The lock is held until *until.
void
hold_allocator(volatile int *held, volatile int *until)
{
  pthread_mutex_lock(&allocator_lock);
  *held = 1;
  while (!*until)
    ;
  pthread_mutex_unlock(&allocator_lock);
}
