#include "os/memory.h"

#include <errno.h>
#include <mach/mach_init.h>
#include <mach/vm_map.h>

// All or nothing: what lies before the first missing page is copied page by page.
static bool
copy(void *to, size_t length, uint64_t address)
{
  vm_size_t done = 0;

  return vm_read_overwrite(mach_task_self(), address, length, (vm_address_t)to, &done) ==
             KERN_SUCCESS &&
         done == length;
}

size_t
memory_copy(void *to, size_t length, uint64_t address)
{
  enum { PAGE = 4096 };  // or a part of one
  size_t done = 0;

  if (copy(to, length, address))
    return length;
  while (done < length) {
    uint64_t at = address + done;
    size_t n = PAGE - (at & (PAGE - 1));
    if (n > length - done)
      n = length - done;
    if (!copy((unsigned char *)to + done, n, at))
      break;
    done += n;
  }
  return done;
}

// A task port of another process is not to be had without its user's consent (taskgated(8)).
long
memory_open(pid_t child)
{
  (void)child;
  return -EPERM;
}

size_t
memory_copy_from(long memory, void *to, size_t length, uint64_t address)
{
  (void)memory;
  (void)to;
  (void)length;
  (void)address;
  return 0;
}

size_t
memory_copy_alone(void *to, size_t length, uint64_t address)
{
  return memory_copy(to, length, address);
}
