#include "redirect_site.h"

#include "os/map.h"
#include "vfork_state.h"
#include "footprint/calling_frame.h"
#include "learn/learned_sites.h"
#include "policy/language_runtimes.h"
#include "libc/glibc/thread_layout.h"
#include "os/memory.h"
#include "unwind/modules.h"
#include "process/process.h"
#include "policy/redirect_rules.h"
#include "unwind/symbol.h"
#include "unwind/unwind.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST_SITES = 128, WAIT_UNWINDER_NS = 1000000000, COPY = 32 * 1024, MOVED = 64 };

static struct redirect_site sites[MOST_SITES];
static _Atomic int site_count;
static char rseq_user[64];

static struct redirect_site *
find(uint64_t return_address, const char *path)
{
  int n = atomic_load_explicit(&site_count, memory_order_acquire);

  for (int i = 0; i < n; i++) {
    if (sites[i].return_address == return_address && strcmp(sites[i].path, path) == 0)
      return &sites[i];
  }
  return NULL;
}

// Where the return address of the calling function stands if its frame pointer is `bp`; 0: unknown.
static uint64_t
unwound_slot(const struct entry_frame *frame, uint64_t bp, const unsigned char *copy, size_t length)
{
  struct frame frames[2] = {{.pc = 0}};
  uint64_t sp = (uint64_t)(uintptr_t)(frame + 1);
  struct registers registers = {{0}};

  registers.at[REG_IP] = frame->return_address;
  registers.at[REG_SP] = sp;
  registers.at[REG_BP] = bp;
  registers.at[REG_BX] = frame->rbx;
  registers.at[REG_12] = frame->r12;
  registers.at[REG_13] = frame->r13;
  registers.at[REG_14] = frame->r14;
  registers.at[REG_15] = frame->r15;
  struct stack_copy stack = {&registers, copy, sp, length};
  return unwind_stack(&stack, frames, 2) == 2 ? frames[1].slot : 0;
}

// The unwind tables say for each instruction how the frame is found: most often from one register,
// at a distance that is the same wherever the stack is. Unwinds with another frame pointer tell:
// the frame stays where it is, or moves with that if what it points to moves too. One that does
// neither (of a realigned stack) is not known.
static void
find_slot(struct redirect_site *site, const struct entry_frame *frame)
{
  uint64_t sp = (uint64_t)(uintptr_t)(frame + 1), bottom;
  uint64_t top = libc_layout_stack_top(&bottom);
  unsigned char *moved = memory_map(COPY + MOVED), *copy = moved + MOVED;

  if (!moved)
    return;
  size_t length = sp < top && top - sp < COPY ? top - sp : COPY;
  length = memory_copy_own_stack(copy, length, sp);
  uint64_t slot = unwound_slot(frame, frame->rbp, copy, length);
  if (slot && unwound_slot(frame, frame->rbp + MOVED, copy, length) == slot) {
    site->slot = SLOT_SP;
    site->slot_offset = (int64_t)(slot - sp);
  } else if (slot && unwound_slot(frame, frame->rbp + MOVED, moved, length) == slot + MOVED) {
    site->slot = SLOT_BP;
    site->slot_offset = (int64_t)(slot - frame->rbp);
  }
  munmap(moved, COPY + MOVED);
}

// Restartable sequences stand in a section of their own, as librseq and tcmalloc make it.
static void
look_for_rseq(const struct modules *modules)
{
  for (int i = 0; i < modules->count && !rseq_user[0]; i++) {
    if (symbol_has_section(modules->at[i].path, "__rseq_cs"))
      snprintf(rseq_user, sizeof rseq_user, "%s", module_name(&modules->at[i]));
  }
}

void
redirect_site_became_real(struct redirect_site *site, const char *reason)
{
  if (site->became_real)
    return;
  snprintf(site->real_reason, sizeof site->real_reason,
           "a child from here had to become a process of its own: it %s", reason);
  site->became_real = true;
  if (site->learned)
    fork_site_refuse(site->learned, true, site->real_reason);
}

const char *
redirect_site_rseq_user(void)
{
  return rseq_user[0] ? rseq_user : NULL;
}

static void
fill(struct redirect_site *site, const struct entry_frame *frame,
     const struct calling_frame *calling, const struct modules *modules)
{
  site->return_address = frame->return_address;
  snprintf(site->module, sizeof site->module, "-");
  snprintf(site->function, sizeof site->function, "-");
  memcpy(site->path, calling->path, sizeof site->path);
  if (calling->path[0]) {
    memcpy(site->module, calling->module, sizeof site->module);
    site->offset = calling->offset;
    symbol_find(calling->path, site->offset - 1, site->function, sizeof site->function);
    site->learned = fork_sites_get(calling);
  }
  unwind_begin(modules);
  find_slot(site, frame);
  look_for_rseq(modules);
  symbol_done();
  site->rule = redirect_rules_find(site->module, site->offset, site->function);
  site->never = language_fork(site->module, site->function, site->rule.has_offset);
}

struct redirect_site *
redirect_site_of(const struct entry_frame *frame)
{
  struct calling_frame calling = {.path = ""};

  (void)calling_frame_name(&calling, (const void *)frame->return_address);
  struct redirect_site *site = find(frame->return_address, calling.path);
  if (site || !unwind_enter(WAIT_UNWINDER_NS))
    return site;
  site = find(frame->return_address, calling.path);
  struct modules *modules = site || site_count == MOST_SITES ? NULL : modules_read();
  if (modules) {
    site = &sites[site_count];
    fill(site, frame, &calling, modules);
    modules_free(modules);
    atomic_fetch_add_explicit(&site_count, 1, memory_order_release);
  }
  unwind_leave();
  return site;
}
