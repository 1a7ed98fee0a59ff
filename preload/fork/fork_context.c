#include "fork_context.h"

#include "common/text/text_buffer.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__thread struct call call;

void
call_number(void)
{
  struct text id = {.bytes = call.id, .size = sizeof call.id};

  call.sequence = site_next_fork();
  text_add_number(&id, "", (uint64_t)getpid());
  text_add_number(&id, ".", call.sequence);
}

void
call_forget_capture(void)
{
  if (call.snapshot)
    snapshot_free(call.snapshot);
  if (call.outcome)
    munmap(call.outcome, call.outcome_size);
  if (call.own_stack)
    munmap(call.own_stack, CALL_STACK);
  call.snapshot = NULL;
  call.outcome = NULL;
  call.own_stack = NULL;
  call.counted = false;
}

void
call_forget(void)
{
  call_forget_capture();
  if (call.at_entry)
    munmap(call.at_entry, GONE * sizeof *call.at_entry);
  memset(&call, 0, sizeof call);
}
