#include "redirect_events.h"

#include "process/output_stderr.h"
#include "learn/learn.h"
#include "vfork_state.h"
#include "fork/fork_context.h"
#include "threads/thread_count.h"
#include "report/event_json.h"
#include "fork/fork_capture.h"
#include "process/output.h"
#include "process/process.h"
#include "redirect_site.h"
#include "common/text/text_buffer.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static struct registers
caller(const struct borrow *b)
{
  const struct entry_frame *frame = b->saved_stack;
  struct registers r = {{0}};

  r.at[REG_IP] = frame->return_address;
  r.at[REG_SP] = b->sp + sizeof *frame;
  r.at[REG_BP] = frame->rbp;
  r.at[REG_BX] = frame->rbx;
  r.at[REG_12] = frame->r12;
  r.at[REG_13] = frame->r13;
  r.at[REG_14] = frame->r14;
  r.at[REG_15] = frame->r15;
  return r;
}

void
redirect_capture(struct borrow *b)
{
  const struct registers registers = caller(b);

  learn_refuse("forked a child of its own");
  instant_begin("fork");
  instant_capture(&registers);
}

void
redirect_tell_begin(struct borrow *b)
{
  if (!output_wants_events())
    return;
  const struct registers registers = caller(b);
  call.entry = "fork";
  call.redirected = b->site->first;
  instant_note(&registers);
}

static void
add_end(struct text *t, const struct borrow *b, uint64_t after_us)
{
  event_begin(t, b->ended ? "exit" : "exec", now_ns(CLOCK_REALTIME), b->result);
  text_add(t, ",\"fork\":\"%s\"", b->id);
  if (b->ended) {
    text_add(t, ",\"status\":%d",
             WIFEXITED(b->status) ? WEXITSTATUS(b->status) : 128 + WTERMSIG(b->status));
    if (b->exec_error)
      text_add(t, ",\"exec_error\":\"%s\"", strerrorname_np(b->exec_error));
  } else {
    text_add_string(t, ",\"path\":");
    text_add_json(t, b->path);
  }
  text_add(t, ",\"after_us\":%" PRIu64 "}\n", after_us);
}

static void
add_site(struct text *t, const struct redirect_site *site)
{
  text_add_string(t, ",\"site\":{\"module\":");
  text_add_json(t, site->module);
  text_add(t, ",\"offset\":\"0x%" PRIx64 "\",\"function\":", site->offset);
  text_add_json(t, site->function);
  text_add_string(t, "}");
}

// Without a driver, and if -v asks for it, a line for a person.
static void
say(const struct redirect_site *site, const char *what, const char *reason)
{
  char bytes[1024];
  struct text t = {.bytes = bytes, .size = sizeof bytes};

  if (process.events.value[0] || process_options()->verbosity == 0)
    return;
  text_add_string(&t, "forkhound: redirect: ");
  text_add_escaped(&t, site->module);
  text_add(&t, "+0x%" PRIx64, site->offset);
  if (strcmp(site->function, "-") != 0) {
    text_add_string(&t, " ");
    text_add_escaped(&t, site->function);
  }
  text_add(&t, ": %s", what);
  if (reason) {
    text_add_string(&t, ": ");
    text_add_escaped(&t, reason);
  }
  text_add_string(&t, "\n");
  output_stderr(&t);
}

static void
tell(const struct redirect_site *site, const struct borrow *b, const char *action,
     const char *reason)
{
  char bytes[4096];
  struct text t = {.bytes = bytes, .size = sizeof bytes};

  if (!output_wants_events())
    return;
  uint64_t after_us = b ? (now_ns(CLOCK_MONOTONIC) - b->began) / 1000 : 0;
  if (b && !b->reason[0])
    add_end(&t, b, after_us);
  event_begin(&t, "redirect", now_ns(CLOCK_REALTIME), 0);
  text_add(&t, ",\"action\":\"%s\"", action);
  add_site(&t, site);
  const char *verdict = b ? "allow" : sites_word(site->rule.verdict);
  if (*verdict)
    text_add(&t, ",\"verdict\":\"%s\"", verdict);
  if (reason) {
    text_add_string(&t, ",\"reason\":");
    text_add_json(&t, reason);
  }
  if (b)
    text_add(&t, ",\"fork\":\"%s\",\"child\":%d,\"after_us\":%" PRIu64, b->id, (int)b->result,
             after_us);
  text_add_string(&t, "}\n");
  if (!t.truncated)
    output_event(&t);
}

void
redirect_tell(struct borrow *b)
{
  const char *action = b->reason[0] ? "materialised" : "borrowed";

  if (b->result <= 0)
    return;
  if (!b->site->first[0] && !b->reason[0])
    memcpy(b->site->first, b->id, sizeof b->id);
  const char *reason = b->reason[0] ? b->reason : NULL;
  tell(b->site, b, action, reason);
  if (reason)
    say(b->site, "a child became a process of its own", reason);
  else if (b->site->borrowed == 1)
    say(b->site, "is carried out as posix_spawn does", NULL);
}

void
redirect_tell_refusal(struct redirect_site *site, const char *reason)
{
  for (int i = 0; i < REDIRECT_REASONS; i++) {
    const char *told = NULL;
    if (atomic_compare_exchange_strong(&site->told[i], &told, reason))
      break;
    if (told == reason)
      return;
  }
  tell(site, NULL, "refused", reason);
  say(site, "is not redirected", reason);
}

void
redirect_tell_unavailable(const char *reason)
{
  char bytes[512];
  struct text t = {.bytes = bytes, .size = sizeof bytes};

  if (output_wants_events()) {
    event_begin(&t, "redirect", now_ns(CLOCK_REALTIME), 0);
    text_add_string(&t, ",\"action\":\"unavailable\",\"reason\":");
    text_add_json(&t, reason);
    text_add_string(&t, "}\n");
    output_event(&t);
  }
  if (process.events.value[0])
    return;
  t.length = 0;
  text_add(&t, "forkhound: redirect: not available, forks are real: %s\n", reason);
  output_stderr(&t);
}
