#include "learn_internal.h"

#include "report/event_json.h"
#include "process/output.h"
#include "process/process.h"
#include "common/config/site_rules.h"
#include "sites_file.h"
#include "unwind/symbol.h"

#include <stdio.h>
#include <string.h>

static const char *
word(enum lesson_verdict verdict)
{
  switch (verdict) {
  case LESSON_SAFE: return sites_word(SITE_ALLOW);
  case LESSON_DENIED: return sites_word(SITE_DENY);
  default: return sites_word(SITE_UNKNOWN);
  }
}

void
learn_tell(const struct learn *learn, const char *action, pid_t child, enum lesson_verdict verdict,
           const char *reason)
{
  char bytes[2048];
  struct text t = {.bytes = bytes, .size = sizeof bytes};
  struct redirect_story story = {
      .module = learn->frame.path,
      .offset = learn->frame.offset,
      .function = atomic_load(&learn->site->named) ? learn->site->function : "-",
      .verdict = word(verdict),
      .reason = reason,
      .calls = learn->lesson->calls,
      .child = child,
      .after_ns = now_ns(CLOCK_MONOTONIC) - learn->began,
  };

  if (!output_wants_events())
    return;
  event_redirect(&t, action, &story);
  if (!t.truncated)
    output_event(&t);
}

void
learn_name_written(struct lesson *lesson)
{
  char name[64], place[sizeof lesson->reason];
  const char *at = strrchr(lesson->reason, ' ');

  if (!at || !symbol_find_data(lesson->path, lesson->written, name, sizeof name))
    return;
  snprintf(place, sizeof place, "%s", at + 1);
  snprintf(lesson->reason + (at + 1 - lesson->reason),
           sizeof lesson->reason - (size_t)(at + 1 - lesson->reason), "`%s` (%s)", name, place);
}

// In the sites file a verdict is written once it is certain.
static void
list(const struct learn *learn, enum lesson_verdict verdict)
{
  const struct fork_site *site = learn->site;
  struct site_rule rule = {
      .verdict = verdict == LESSON_DENIED ? SITE_DENY : SITE_UNKNOWN,
      .offset = learn->frame.offset,
      .has_offset = true,
      .learned = true,
      .forks = verdict == LESSON_SAFE ? atomic_load(&site->safe) : 0,
  };

  if (verdict == LESSON_SAFE && rule.forks != SITES_FORKS)
    return;
  memcpy(rule.module, learn->frame.module, sizeof rule.module);
  memcpy(rule.function, site->function, sizeof rule.function);
  memcpy(rule.reason, learn->lesson->reason, sizeof rule.reason);
  sites_conclude(&rule);
  sites_file_add(&rule);
}

void
learn_record(struct learn *learn, pid_t child, enum lesson_verdict verdict)
{
  const char *reason = verdict == LESSON_SAFE ? "" : learn->lesson->reason;

  if (verdict == LESSON_SAFE)
    fork_site_safe(learn->site);
  else
    fork_site_refuse(learn->site, verdict == LESSON_DENIED, reason);
  learn_tell(learn, "learned", child, verdict, reason);
  list(learn, verdict);
}
