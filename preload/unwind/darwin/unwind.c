// Every function keeps a chain of frames here, as the platform's calling conventions ask for: it is
// followed in the copy. The stack of the forking thread is walked by the system's libunwind, which
// knows of functions that do not.
#include "unwind/unwind.h"

#include "capture/darwin/mach_state.h"

#include <libunwind.h>
#include <string.h>

enum { MOST_FRAMES = 256 };  // max_frames is not more

static const struct modules *modules;

bool
unwind_load(void)
{
  return true;
}

void
unwind_end(void)
{
}

void
unwind_begin(const struct modules *current)
{
  modules = current;
}

static bool
read_word(const struct stack_copy *stack, uint64_t address, uint64_t *word)
{
  if (address < stack->address || stack->length < sizeof *word ||
      address - stack->address > stack->length - sizeof *word)
    return false;
  memcpy(word, stack->bytes + (address - stack->address), sizeof *word);
  return true;
}

// The stubs of system calls, where most threads sleep, have no frame: the chain lacks the function
// that called one.
static bool
is_stub(uint64_t pc)
{
  const struct module *m = modules_find(modules, pc);

  return m && strncmp(module_name(m), "libsystem_kernel.", 17) == 0;
}

int
unwind_stack(const struct stack_copy *stack, struct frame *frames, int most)
{
  const struct registers *r = stack->registers;
  uint64_t fp = r->at[REG_BP], word = 0, next;
  int n = 0;

  if (most < 1)
    return 0;
  frames[n++] = (struct frame){.pc = mach_strip(r->at[REG_IP])};
  if (n < most && is_stub(frames[0].pc) && read_word(stack, r->at[REG_SP], &word)) {
    uint64_t slot, pc = mach_leaf_return(r, word, &slot);
    if (modules_find(modules, pc))
      frames[n++] = (struct frame){.pc = pc, .slot = slot};
  }
  // Each frame record is the caller's frame pointer and the return address.
  while (n < most && fp % sizeof fp == 0 && read_word(stack, fp, &next) &&
         read_word(stack, fp + sizeof fp, &word)) {
    uint64_t pc = mach_strip(word);
    if (pc == 0)
      break;
    frames[n++] = (struct frame){.pc = pc, .slot = fp + sizeof fp};
    if (next <= fp)
      break;
    fp = next;
  }
  return n;
}

// Where the return address of a frame stands in the copy: below the caller's stack pointer.
static uint64_t
find_slot(const struct stack_copy *stack, uint64_t pc, uint64_t above, uint64_t sp)
{
  for (uint64_t at = sp - sizeof at; at > above && at >= stack->address; at -= sizeof at) {
    uint64_t word;
    if (read_word(stack, at, &word) && mach_strip(word) == pc)
      return at;
  }
  return 0;
}

static int
common_frame(const struct frame *frames, int n, uint64_t pc, uint64_t sp)
{
  for (int i = 1; i < n; i++) {
    if (frames[i].pc == pc && frames[i].slot < sp)
      return i;
  }
  return 0;
}

// The frames of both walks are the same from the function on that called the wrapper: what is below
// it was left meanwhile, or is ours. Returns the number of frames there are then.
static int
join(const struct stack_copy *stack, struct frame *frames, int n, int most, unw_cursor_t *cursor)
{
  struct frame live[MOST_FRAMES];
  int at = 0, count = 0;

  do {
    unw_word_t ip = 0, sp = 0;
    unw_get_reg(cursor, UNW_REG_IP, &ip);
    unw_get_reg(cursor, UNW_REG_SP, &sp);
    uint64_t pc = mach_strip(ip);
    if (count == 0) {
      at = common_frame(frames, n, pc, sp);
      if (at > 0)
        live[count++] = frames[at];
      continue;
    }
    uint64_t slot = find_slot(stack, pc, live[count - 1].slot, sp);
    if (!slot || at + count == most || count == MOST_FRAMES)
      break;
    live[count++] = (struct frame){.pc = pc, .slot = slot};
  } while (unw_step(cursor) > 0);
  if (count == 0 || live[count - 1].slot < frames[n - 1].slot)
    return n;  // libunwind did not come as far
  memcpy(frames + at, live, (size_t)count * sizeof *live);
  return at + count;
}

int
unwind_own_stack(const struct stack_copy *stack, struct frame *frames, int most)
{
  int n = unwind_stack(stack, frames, most);
  unw_context_t context;
  unw_cursor_t cursor;

  if (n < 1 || unw_getcontext(&context) != 0 || unw_init_local(&cursor, &context) != 0)
    return n;
  return join(stack, frames, n, most, &cursor);
}
