#include "json.h"
#include "base/json_fields.h"
#include "text_fork.h"

#include <stdlib.h>

static json_t *
finding(const struct site *site)
{
  const struct fork_record *fork = site->hazard;
  char *place = render_place(fork);
  json_t *result = json_pack(
      "{s:s, s:s, s:O?, s:O?, s:O?, s:O?, s:O?, s:I, s:O?, s:I, s:I, s:O?}", "level", "hazard",
      "where", place, "fork", json_object_get(fork->event, "id"), "pid",
      json_object_get(fork->event, "pid"), "tid", json_object_get(fork->event, "tid"), "thread",
      json_object_get(fork->event, "thread"), "exe", json_object_get(fork->event, "exe"), "child",
      (json_int_t)fork->child, "threads", json_object_get(fork->event, "threads"), "forks",
      (json_int_t)site->forks, "hazards", (json_int_t)site->hazards, "event", fork_stacks(fork));
  free(place);
  if (result && fork->exec_path) {
    json_object_set_new(result, "exec_path", json_string(fork->exec_path));
    json_object_set_new(result, "exec_after_us", json_integer(fork->exec_after_us));
  }
  if (result && fork->ended && fork->status_known)
    json_object_set_new(result, "status", json_integer(fork->status));
  if (result && fork->exit_after_us >= 0)
    json_object_set_new(result, "exit_after_us", json_integer(fork->exit_after_us));
  return result;
}

// A stuck child: its event has it all.
static void
add_stuck(json_t *findings, json_t *event)
{
  json_array_append_new(findings,
                        json_pack("{s:O, s:O?, s:O, s:O}", "level", json_object_get(event, "event"),
                                  "fork", json_object_get(event, "fork"), "pid",
                                  json_object_get(event, "pid"), "event", event));
}

void
render_json(FILE *out, const struct model *model, int exit_status)
{
  struct tally tally = model_tally(model);
  json_t *findings = json_array(), *blind = json_array();
  for (size_t i = 0; i < model->site_count; i++)
    if (model->sites[i]->hazard)
      json_array_append_new(findings, finding(model->sites[i]));
  for (size_t i = 0; i < model->fork_count; i++)
    if (model->forks[i]->finding && !model->forks[i]->finding_suppressed)
      add_stuck(findings, model->forks[i]->finding);
  for (size_t i = 0; i < json_array_size(model->strays); i++)
    add_stuck(findings, json_array_get(model->strays, i));
  for (size_t i = 0; i < model->blind_count; i++)
    json_array_append_new(
        blind, json_pack("{s:s, s:s}", "path", model->blind[i].path, "why", model->blind[i].why));
  json_t *summary =
      json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "forks", (int)tally.forks, "sites",
                (int)tally.sites, "exec", (int)tally.exec, "hazard", (int)tally.hazard, "running",
                (int)tally.running, "suspect", (int)tally.suspect, "deadlock", (int)tally.deadlock);
  const struct redirects *redirects = &model->redirects;
  if (redirects->borrowed || redirects->became_real || redirects->refused)
    json_object_set_new(summary, "redirect",
                        json_pack("{s:i, s:i, s:i}", "borrowed", (int)redirects->borrowed,
                                  "became_real", (int)redirects->became_real, "refused",
                                  (int)redirects->refused));
  json_t *document = json_pack("{s:i, s:o, s:o, s:o}", "v", 1, "summary", summary, "findings",
                               findings, "blind", blind);
  if (json_array_size(model->waiting))
    json_object_set(document, "waiting", model->waiting);
  if (exit_status >= 0)
    json_object_set_new(document, "status", json_integer(exit_status));
  json_dumpf(document, out, JSON_INDENT(2));
  fputc('\n', out);
  fflush(out);
  json_decref(document);
}
