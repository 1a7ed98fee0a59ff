#include "thread_layout.h"

#include "libc/real_calls.h"
#include "raw_syscall.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/rseq.h>

// Of ld.so, for the sanitizers and debuggers that need to know it: the size of the static thread
// block with the thread's descriptor (elf/dl-tls.c).
typedef void tls_info(size_t *size, size_t *align);

// What rseq(2) was told by libc: it registers at least the area as first published.
enum { FIRST_RSEQ_SIZE = 32 };

static size_t thread_block;  // bytes at the top of a thread's stack that are not stack
static size_t descriptor;    // of these, bytes from the thread pointer upward

size_t
libc_layout_thread_block(void)
{
  return thread_block;
}

size_t
libc_layout_descriptor(void)
{
  return descriptor;
}

uint64_t
libc_layout_frames_end(uint64_t thread_pointer)
{
  return thread_pointer + descriptor - thread_block;
}

static unsigned int
rseq_size(void)
{
  return __rseq_size > FIRST_RSEQ_SIZE ? __rseq_size : FIRST_RSEQ_SIZE;
}

static char *
rseq_area(void)
{
  return (char *)__builtin_thread_pointer() + __rseq_offset;
}

void
libc_layout_register_rseq(void)
{
  if (__rseq_size > 0)
    RAW(SYS_rseq, rseq_area(), rseq_size(), 0, RSEQ_SIG);
}

// The kernel says EBUSY for exactly what is registered, EINVAL or EPERM for anything else
// (kernel/rseq.c).
static bool
rseq_is_known(void)
{
  if (__rseq_size == 0)
    return true;
  long result = RAW(SYS_rseq, rseq_area(), rseq_size(), 0, RSEQ_SIG);
  if (result == 0)
    RAW(SYS_rseq, rseq_area(), rseq_size(), RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
  return result == -EBUSY;
}

static bool
thread_stack(uint64_t *bottom, uint64_t *top)
{
  pthread_attr_t attributes;
  void *address;
  size_t size;

  if (pthread_getattr_np(pthread_self(), &attributes) != 0)
    return false;
  bool known = pthread_attr_getstack(&attributes, &address, &size) == 0;
  pthread_attr_destroy(&attributes);
  *bottom = (uint64_t)(uintptr_t)address;
  *top = *bottom + size;
  return known;
}

uint64_t
libc_layout_stack_top(uint64_t *bottom)
{
  static __thread uint64_t own_top, own_bottom;
  static __thread bool known;

  if (!known) {
    uint64_t self = (uint64_t)(uintptr_t)pthread_self();
    known = true;
    if (!thread_stack(&own_bottom, &own_top))
      own_top = 0;
    else if (self > own_bottom && self < own_top)
      own_top -= thread_block;
  }
  *bottom = own_bottom;
  return own_top;
}

static __thread char in_thread_block;

// Of a thread that libc made.
static bool
block_is_at_the_top(void)
{
  uint64_t bottom, top, self = (uint64_t)(uintptr_t)pthread_self();
  uint64_t variable = (uint64_t)(uintptr_t)&in_thread_block;

  if (!thread_stack(&bottom, &top) || self < bottom || self >= top)
    return true;  // the main thread's block is elsewhere
  return variable >= top - thread_block && variable < self && self < top &&
         (uint64_t)(uintptr_t)__builtin_frame_address(0) < top - thread_block;
}

const char *
libc_layout_check(void)
{
  tls_info *info;
  size_t size = 0, align = 0;

  *(void **)(void *)&info = dlsym(RTLD_DEFAULT, "_dl_get_tls_static_info");
  if (!info)
    return "the dynamic loader does not tell the size of thread blocks";
  info(&size, &align);
  if (size < sizeof(void *) || size > 1 << 20 || align == 0 || (align & (align - 1)) != 0)
    return "the dynamic loader tells no likely size of thread blocks";
  thread_block = (size + align - 1) & ~(align - 1);
  // For debuggers (nptl_db/structs.def).
  const uint32_t *of_descriptor = dlsym(RTLD_DEFAULT, "_thread_db_sizeof_pthread");
  if (!of_descriptor || *of_descriptor >= thread_block)
    return "libc tells no likely size of a thread's descriptor";
  descriptor = *of_descriptor;
  if (!block_is_at_the_top())
    return "thread blocks are not at the top of the stacks";
  if (!rseq_is_known())
    return "restartable sequences are not registered the way libc says";
  if (!fh_real._Fork)
    return "libc has no _Fork()";
  return NULL;
}
