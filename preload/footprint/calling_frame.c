#include "calling_frame.h"

#include "libc/glibc/thread_layout.h"
#include "os/memory.h"
#include "process/process.h"
#include "raw_syscall.h"
#include "unwind/unwind.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WAIT_UNWINDER_NS = 1000000000, FRAMES = 8, OWN_STACK = 64 * 1024 };

bool
calling_frame_name(struct calling_frame *frame, const void *return_address)
{
  uint64_t address = (uint64_t)(uintptr_t)return_address;
  struct dl_find_object found;

  // A return address may be the first byte of the next function's file.
  if (_dl_find_object((void *)(uintptr_t)(address - 1), &found) != 0)
    return false;
  const char *path = found.dlfo_link_map->l_name;
  if (!*path)
    path = process.exe;
  const char *slash = strrchr(path, '/');
  snprintf(frame->path, sizeof frame->path, "%s", path);
  snprintf(frame->module, sizeof frame->module, "%.63s", slash ? slash + 1 : path);
  frame->offset = address - found.dlfo_link_map->l_addr;
  return true;
}

// From here outward to the caller of the calling function. `bytes`: room for a copy of the stack;
// ours may be small.
static uint64_t
find_slot(const struct registers *registers, uint64_t return_address, unsigned char *bytes)
{
  struct modules *modules = modules_read();
  struct stack_copy copy = {registers, bytes, registers->at[REG_SP], 0};
  struct frame frames[FRAMES];
  uint64_t slot = 0;

  if (!modules)
    return 0;
  copy.length = memory_copy_own_stack(bytes, OWN_STACK, copy.address);
  unwind_begin(modules);
  int n = unwind_stack(&copy, frames, FRAMES);
  for (int i = 0; i + 1 < n && !slot; i++) {
    if (frames[i].pc == return_address)
      slot = frames[i + 1].slot;
  }
  unwind_begin(NULL);
  modules_free(modules);
  return slot;
}

const char *
calling_frame_find(struct calling_frame *frame, const void *return_address, uint64_t sp,
                   uint64_t slot, unsigned char *copy, size_t *length)
{
  uint64_t address = (uint64_t)(uintptr_t)return_address;
  struct registers registers;
  uint64_t bottom;

  memset(frame, 0, sizeof *frame);
  frame->sp = sp;
  if (!calling_frame_name(frame, return_address))
    return "the code that calls fork is in no file";
  frame->stack_end = libc_layout_stack_top(&bottom);
  if (sp < bottom || sp >= frame->stack_end)
    return "it runs on a stack of its own";
  if (frame->stack_end - sp > CALLING_STACK)
    return "more than 256 KiB of the stack are in use";
  registers_here(&registers);
  if (!slot && unwind_enter(WAIT_UNWINDER_NS)) {
    slot = find_slot(&registers, address, copy);
    unwind_leave();
  }
  frame->return_slot = slot;
  *length = memory_copy(copy, frame->stack_end - sp, sp);
  if (*length != frame->stack_end - sp)
    return "its stack cannot be read";
  return slot > sp && slot < frame->stack_end ? NULL
                                              : "the frame that calls fork cannot be unwound";
}
