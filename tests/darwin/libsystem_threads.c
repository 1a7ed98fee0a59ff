// Threads. The outermost frames of stacks, and the stubs of system calls, are images of their own.
#include "libsystem_parts.h"

#include "image.h"

#include <mach/mach.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

// Entered at the outermost frame of a stack: pushes a frame record that ends the chain, and calls
// argument[0] with argument[1], [2] and [3].
static const unsigned char begin_code[] = {
    0x55,                    // pushq %rbp
    0x6a, 0x00,              // pushq $0
    0x6a, 0x00,              // pushq $0
    0x48, 0x89, 0xe5,        // movq %rsp, %rbp
    0x48, 0x89, 0xf8,        // movq %rdi, %rax
    0x48, 0x8b, 0x78, 0x08,  // movq 8(%rax), %rdi
    0x48, 0x8b, 0x70, 0x10,  // movq 16(%rax), %rsi
    0x48, 0x8b, 0x50, 0x18,  // movq 24(%rax), %rdx
    0xff, 0x10,              // callq *(%rax)
    0x48, 0x83, 0xc4, 0x10,  // addq $16, %rsp
    0x5d,                    // popq %rbp
    0xc3,                    // retq
};

// A system call stub without a frame, as all are there: pause().
static const unsigned char pause_code[] = {
    0xb8, 0x22, 0x00, 0x00, 0x00,  // movl $34, %eax
    0x0f, 0x05,                    // syscall
    0xc3,                          // retq
};

struct begin {
  void *function;
  const void *arguments[3];
};
static void *(*begin_thread)(void *);
static int (*begin_main)(struct begin *);

// A thread has no name at first; on Linux it has that of its maker.
static void *
nameless(void *begin)
{
  prctl(PR_SET_NAME, "");
  return begin_thread(begin);
}

static int
pthread_create_(pthread_t *thread, const void *attributes, void *start, const void *argument)
{
  struct begin *begin = calloc(1, sizeof *begin);

  libsystem_expect_all_run("pthread_create");
  if (attributes)
    die("pthread_create() with attributes");
  begin->function = start;
  begin->arguments[0] = argument;
  return pthread_create(thread, NULL, nameless, begin);
}

static int
pthread_setname_np_(const char *name)
{
  return prctl(PR_SET_NAME, name);
}

static int
pthread_key_create_(unsigned long *key, void (*end)(void *))
{
  pthread_key_t made;
  int error = pthread_key_create(&made, end);

  *key = made;
  return error;
}

static int
pthread_setspecific_(unsigned long key, const void *value)
{
  return pthread_setspecific((pthread_key_t)key, value);
}

struct darwin_once {
  long signature;
  _Atomic int state;  // of 8 opaque bytes
  int unused;
};

static int
pthread_once_(struct darwin_once *once, void (*function)(void))
{
  int expected = 0;

  if (once->signature != 0x30b1bcba)
    die("a pthread_once_t that is not initialized");
  if (atomic_compare_exchange_strong(&once->state, &expected, 1)) {
    function();
    atomic_store(&once->state, 2);
  }
  while (atomic_load(&once->state) != 2)
    sched_yield();
  return 0;
}

// 1 is PTHREAD_CANCEL_ENABLE there, and 0 here.
static int
pthread_setcancelstate_(int state, int *old)
{
  int before;
  int error = pthread_setcancelstate(!state, &before);

  if (old)
    *old = !before;
  return error;
}

// 56 opaque bytes follow a signature; as zeroes they are glibc's PTHREAD_MUTEX_INITIALIZER.
struct darwin_mutex {
  long signature;
  pthread_mutex_t mutex;
};

static int
pthread_mutex_lock_(struct darwin_mutex *m)
{
  return pthread_mutex_lock(&m->mutex);
}

void *
libsystem_start_threads(void)
{
  *(void **)(void *)&begin_main =
      image_make("/usr/lib/dyld", "start", begin_code, sizeof begin_code);
  *(void **)(void *)&begin_thread = image_make("/usr/lib/system/libsystem_pthread.dylib",
                                               "_pthread_start", begin_code, sizeof begin_code);
  return image_make("/usr/lib/system/libsystem_kernel.dylib", "pause", pause_code,
                    sizeof pause_code);
}

int
libsystem_call_main(uint64_t entry, int argc, char **argv)
{
  struct begin begin = {(void *)entry, {(const void *)(intptr_t)argc, argv, environ}};

  return begin_main(&begin);
}

const struct libsystem_entry libsystem_threads[] = {
    ENTRY("_pthread_create", pthread_create_),
    ENTRY("_pthread_is_threaded_np", pthread_is_threaded_np),
    ENTRY("_pthread_join", pthread_join),
    ENTRY("_pthread_key_create", pthread_key_create_),
    ENTRY("_pthread_mach_thread_np", pthread_mach_thread_np),
    ENTRY("_pthread_main_np", pthread_main_np),
    ENTRY("_pthread_mutex_lock", pthread_mutex_lock_),
    ENTRY("_pthread_once", pthread_once_),
    ENTRY("_pthread_self", pthread_self),
    ENTRY("_pthread_setcancelstate", pthread_setcancelstate_),
    ENTRY("_pthread_setname_np", pthread_setname_np_),
    ENTRY("_pthread_setspecific", pthread_setspecific_),
    ENTRY("_pthread_threadid_np", pthread_threadid_np),
    ENTRY("_sched_yield", sched_yield),
    {NULL, NULL},
};
