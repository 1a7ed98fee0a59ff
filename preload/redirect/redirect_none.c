// A system where forks are carried out as they are: nothing is redirected, and nothing learned.
#include "promote_child.h"
#include "process/output_stderr.h"
#include "child_calls.h"
#include "learn/learn.h"
#include "process/output.h"
#include "process/process.h"
#include "redirect.h"
#include "common/text/text_buffer.h"

unsigned char forkhound_redirects;

void
redirect_start(void)
{
  static const char words[] =
      "forkhound: redirect is not for this system: forks are carried out as they are\n";
  char bytes[sizeof words];
  struct text t = {.bytes = bytes, .size = sizeof bytes};

  // The command has said so already.
  if (process_options()->redirect == REDIRECT_OFF || process.events.value[0])
    return;
  text_add_string(&t, words);
  output_stderr(&t);
}

void
redirect_thread(void)
{
}

void
become_real(const char *reason, enum real_how how)
{
  (void)reason;
  (void)how;
}

void
borrow_exec(const char *path)
{
  (void)path;
}

void
borrow_exec_failed(void)
{
}

void
borrow_exit(int status)
{
  (void)status;
}

void
borrow_forget(void)
{
}

void
learn_start(void)
{
}

bool
learn_needs_threads(const struct learn *learn)
{
  (void)learn;
  return false;
}

void
learn_threads(struct learn *learn, const struct snapshot *threads, const void *stack, size_t size)
{
  (void)learn;
  (void)threads;
  (void)stack;
  (void)size;
}

bool
learn_watches(void)
{
  return false;
}

void
learn_exec(void)
{
}

void
learn_exit(void)
{
}

void
learn_refuse(const char *what)
{
  (void)what;
}

bool
learn_wanted(void)
{
  return false;
}
