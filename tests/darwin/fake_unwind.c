// libunwind's interface over the chain of frame pointers of the live stack.
#include <libunwind.h>

enum { IP, SP, FP };

// The caller's registers as they are after this call has returned.
int
unw_getcontext(unw_context_t *context)
{
  const uint64_t *frame = __builtin_frame_address(0);

  context->data[FP] = frame[0];
  context->data[IP] = frame[1];
  context->data[SP] = (uint64_t)(uintptr_t)(frame + 2);
  return 0;
}

int
unw_init_local(unw_cursor_t *cursor, unw_context_t *context)
{
  for (int i = IP; i <= FP; i++)
    cursor->data[i] = context->data[i];
  return 0;
}

int
unw_step(unw_cursor_t *cursor)
{
  const uint64_t *frame = (const uint64_t *)(uintptr_t)cursor->data[FP];

  if (cursor->data[FP] <= cursor->data[SP] - 16 || cursor->data[FP] % 8 || frame[1] == 0)
    return 0;
  cursor->data[FP] = frame[0];
  cursor->data[IP] = frame[1];
  cursor->data[SP] = (uint64_t)(uintptr_t)(frame + 2);
  return 1;
}

int
unw_get_reg(unw_cursor_t *cursor, int number, unw_word_t *value)
{
  *value = cursor->data[number == UNW_REG_IP ? IP : SP];
  return 0;
}
