#include "model.h"
#include "base/json_fields.h"
#include "model_internal.h"
#include "base/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *
fork_stacks(const struct fork_record *fork)
{
  if (get_array(fork->event, "site"))
    return fork->event;
  if (fork->first && fork->first->event)
    return fork->first->event;
  return fork->site && fork->site->event ? fork->site->event : fork->event;
}

void
model_init(struct model *model)
{
  *model = (struct model){.fork_index = json_object(),
                          .site_index = json_object(),
                          .strays = json_array(),
                          .waiting = json_array()};
}

static void
free_fork(struct fork_record *fork)
{
  json_decref(fork->event);
  json_decref(fork->early);
  json_decref(fork->unsafe_calls);
  json_decref(fork->gone);
  json_decref(fork->finding);
  free(fork->exec_path);
  free(fork->exec_error);
  free(fork);
}

void
model_free(struct model *model)
{
  for (size_t i = 0; i < model->fork_count; i++)
    free_fork(model->forks[i]);
  for (size_t i = 0; i < model->site_count; i++) {
    json_decref(model->sites[i]->event);
    json_decref(model->sites[i]->findings);
    free(model->sites[i]);
  }
  for (size_t i = 0; i < model->blind_count; i++) {
    free(model->blind[i].path);
    free(model->blind[i].why);
  }
  json_decref(model->fork_index);
  json_decref(model->site_index);
  json_decref(model->strays);
  json_decref(model->waiting);
  redirects_free(&model->redirects);
  free(model->forks);
  free(model->arrived);
  free(model->sites);
  free(model->blind);
  free(model->undecided);
  *model = (struct model){0};
}

bool
model_may_keep(struct model *model)
{
  static const size_t MOST_BYTES = 12 << 20;
  if (model->bytes + model->next_bytes <= MOST_BYTES) {
    model->bytes += model->next_bytes;
    return true;
  }
  model->left_out++;
  return false;
}

static bool
is_new(const struct model *model, const char *id)
{
  return id && !json_object_get(model->fork_index, id);
}

// Each fork keeps some hundred bytes, for the counts and for events that come later.
static bool
has_room(struct model *model, const json_t *event)
{
  enum { MOST_FORKS = 150000 };
  if (model->fork_count < MOST_FORKS ||
      (!is_new(model, get_string(event, "id")) && !is_new(model, get_string(event, "fork")) &&
       !is_new(model, get_string(event, "same_as"))))
    return true;
  model->left_out++;
  return false;
}

static struct fork_record *
new_fork(struct model *model, const char *id)
{
  struct fork_record *fork = xrealloc(NULL, sizeof *fork);
  *fork = (struct fork_record){.exec_after_us = -1, .exit_after_us = -1};
  model->forks = xrealloc(model->forks, (model->fork_count + 1) * sizeof *model->forks);
  json_object_set_new(model->fork_index, id, json_integer((json_int_t)model->fork_count));
  model->forks[model->fork_count++] = fork;
  return fork;
}

static struct fork_record *
fork_of(struct model *model, const char *id)
{
  json_t *position = json_object_get(model->fork_index, id);
  return position ? model->forks[json_integer_value(position)] : new_fork(model, id);
}

enum { MOST_ALIKE = 64 };  // with one id that are looked through

// Of those that have, or had, this id the one whose child has this pid; else the last one.
static struct fork_record *
fork_of_pid(struct model *model, const char *id, long long pid)
{
  struct fork_record *last = fork_of(model, id), *fork = last;
  for (int i = 0; fork && i < MOST_ALIKE; i++, fork = fork->before)
    if (fork->event && fork->child == pid)
      return fork;
  return last;
}

static bool
is_known(const struct fork_record *fork, const json_t *event)
{
  for (int i = 0; fork && i < MOST_ALIKE; i++, fork = fork->before)
    if (fork->event && fork->time_ns == get_integer(event, "time_ns"))
      return true;
  return false;
}

// Another fork with this id, since a pid is in use anew, or is that of another PID namespace. The
// one before gets an id of its own.
static struct fork_record *
set_apart(struct model *model, struct fork_record *before, const char *id)
{
  char *own = xasprintf("%s-%zu", id, model->fork_count);
  json_object_set(model->fork_index, own, json_object_get(model->fork_index, id));
  json_object_set(model->site_index, own, json_object_get(model->site_index, id));
  json_object_del(model->site_index, id);
  json_object_set_new(before->event, "id", json_string(own));
  free(own);
  struct fork_record *fork = new_fork(model, id);
  fork->before = before;
  return fork;
}

static struct fork_record *
set_outcome(struct fork_record *fork, enum outcome outcome)
{
  fork->outcome = outcome;
  if (outcome == OUTCOME_HAZARD) {
    fork->site->hazards++;
    if (!fork->site->hazard)
      fork->site->hazard = fork;
  }
  return fork;
}

static void
add_undecided(struct model *model, const struct fork_record *fork)
{
  const json_t *position = json_object_get(model->fork_index, get_string(fork->event, "id"));
  model->undecided =
      xrealloc(model->undecided, (model->undecided_count + 1) * sizeof *model->undecided);
  model->undecided[model->undecided_count++] = (size_t)json_integer_value(position);
}

static void
forget_undecided(struct model *model, const struct fork_record *fork)
{
  for (size_t i = 0; i < model->undecided_count; i++)
    if (model->forks[model->undecided[i]] == fork) {
      model->undecided[i] = model->undecided[--model->undecided_count];
      return;
    }
}

// The fork, if what is known now decides its outcome.
static struct fork_record *
decide(struct model *model, struct fork_record *fork)
{
  if (!fork->event || fork->outcome != OUTCOME_RUNNING)
    return NULL;
  if (!fork->exec_path && !fork->ended)
    return NULL;
  forget_undecided(model, fork);
  // One that could not exec, and ended, would have.
  bool in_time = fork->exec_path ? fork->exec_after_us <= EXEC_GRACE_US
                                 : fork->exec_error && fork->exit_after_us <= EXEC_GRACE_US;
  return set_outcome(fork, in_time ? OUTCOME_EXEC : OUTCOME_HAZARD);
}

// The fork whose child wrote this event; NULL: what it says decides nothing. A child of the child
// carries the same fork id, but another pid.
static struct fork_record *
fork_of_child(struct model *model, json_t *event)
{
  const char *id = get_string(event, "fork");
  if (!id)
    return NULL;
  struct fork_record *fork = fork_of_pid(model, id, get_integer(event, "pid"));
  if (fork->event)
    return !fork->child || fork->child == get_integer(event, "pid") ? fork : NULL;
  if (!model_may_keep(model))
    return NULL;
  if (!fork->early)
    fork->early = json_array();
  json_array_append(fork->early, event);
  return NULL;
}

static void
add_arrival(struct model *model, struct fork_record *fork, long long pid)
{
  model->arrived = xrealloc(model->arrived, (model->arrived_count + 1) * sizeof *model->arrived);
  model->arrived[model->arrived_count++] = (struct arrival){fork, pid};
}

static void
pid_key(char key[24], long long pid)
{
  snprintf(key, 24, "%lld", pid);
}

static void
set_gone(struct fork_record *fork, long long pid, bool gone)
{
  char key[24];
  pid_key(key, pid);
  if (!gone) {
    json_object_del(fork->gone, key);
    return;
  }
  if (!fork->gone)
    fork->gone = json_object();
  json_object_set_new(fork->gone, key, json_true());
}

// The exec told before has failed: the child runs on.
static struct fork_record *
take_back_exec(struct model *model, struct fork_record *fork)
{
  free(fork->exec_path);
  fork->exec_path = NULL;
  if (fork->outcome != OUTCOME_EXEC)
    return NULL;
  fork->outcome = OUTCOME_RUNNING;
  add_undecided(model, fork);
  set_gone(fork, fork->child, false);
  add_arrival(model, fork, fork->child);
  return NULL;
}

static struct fork_record *
add_exec(struct model *model, json_t *event)
{
  struct fork_record *fork = fork_of_child(model, event);
  if (fork && get_string(event, "error"))
    return take_back_exec(model, fork);
  if (!fork || fork->exec_path || fork->ended)
    return NULL;
  const char *path = get_string(event, "path");
  fork->exec_path = xstrdup(path ? path : "");
  fork->exec_after_us = get_integer(event, "after_us");
  fork->unsafe_calls = json_incref(get_array(event, "unsafe_calls"));
  return decide(model, fork);
}

static struct fork_record *
add_exit(struct model *model, json_t *event)
{
  struct fork_record *fork = fork_of_child(model, event);
  if (!fork || fork->ended)
    return NULL;
  json_t *status = json_object_get(event, "status");
  json_t *after = json_object_get(event, "after_us");
  const char *exec_error = get_string(event, "exec_error");
  fork->exec_error = exec_error ? xstrdup(exec_error) : NULL;
  fork->ended = true;
  fork->status_known = json_is_integer(status);
  fork->status = get_integer(event, "status");
  fork->exit_after_us = json_is_integer(after) ? get_integer(event, "after_us") : -1;
  return decide(model, fork);
}

// Told by the parent, which knows no id: the youngest fork of that child.
static void
add_fault(struct model *model, const json_t *event)
{
  long long child = get_integer(event, "child"), parent = get_integer(event, "pid");
  for (size_t i = model->fork_count; i-- > 0;) {
    struct fork_record *fork = model->forks[i];
    if (fork->child != child || get_integer(fork->event, "pid") != parent)
      continue;
    if (!fork->exec_path)
      fork->fault = (int)get_integer(event, "signal");
    return;
  }
}

// The fork event is here at last: take in what its children wrote before.
static struct fork_record *
add_early(struct model *model, struct fork_record *fork)
{
  struct fork_record *decided = NULL;
  size_t i;
  json_t *event;
  json_array_foreach(fork->early, i, event)
  {
    bool exec = !strcmp(get_string(event, "event"), "exec");
    struct fork_record *now = exec ? add_exec(model, event) : add_exit(model, event);
    decided = now ? now : decided;
  }
  json_decref(fork->early);
  fork->early = NULL;
  return decided;
}

bool
fork_gone(const struct fork_record *fork, long long pid)
{
  char key[24];
  if (!fork->gone)
    return false;
  pid_key(key, pid);
  return json_object_get(fork->gone, key) != NULL;
}

static void
add_grandchild(struct model *model, const json_t *event)
{
  const char *id = get_string(event, "fork");
  long long pid = get_integer(event, "pid");
  if (!id || pid <= 0)
    return;
  struct fork_record *fork = fork_of(model, id);
  fork->has_grandchildren = true;
  set_gone(fork, pid, false);
  add_arrival(model, fork, pid);
}

void
model_shorten(struct model *model, const json_t *event)
{
  static const char *const kept[] = {"id", "pid", "tid", "threads"};
  const char *id = get_string(event, "fork");
  struct fork_record *fork =
      id && !is_new(model, id) ? fork_of_pid(model, id, get_integer(event, "pid")) : NULL;
  if (!fork || !fork->bytes || fork->outcome == OUTCOME_RUNNING || fork->finding ||
      fork->has_grandchildren || (!fork->ended && !fork->exec_path) || fork->site->hazard == fork ||
      get_array(fork->event, "site"))
    return;
  json_t *shorter = json_object();
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    if (json_object_get(fork->event, kept[i]))
      json_object_set(shorter, kept[i], json_object_get(fork->event, kept[i]));
  json_decref(fork->event);
  fork->event = shorter;
  model->bytes -= fork->bytes;
  fork->bytes = 0;
}

static struct fork_record *
add_fork(struct model *model, json_t *event)
{
  const char *id = get_string(event, "id");
  json_t *threads = json_object_get(event, "threads");
  if (!id || (json_is_integer(threads) && json_integer_value(threads) < 2))
    return NULL;
  struct fork_record *fork = fork_of(model, id);
  if (is_known(fork, event) || !model_may_keep(model))
    return NULL;
  if (fork->event)
    fork = set_apart(model, fork, id);
  fork->bytes = model->next_bytes;
  fork->event = json_incref(event);
  fork->child = get_integer(event, "child");
  fork->time_ns = get_integer(event, "time_ns");
  bool redirected = json_is_true(json_object_get(event, "redirected"));
  if (!redirected)
    add_arrival(model, fork, fork->child);
  const char *same_as = get_string(event, "same_as");
  fork->first = same_as ? fork_of(model, same_as) : fork;
  fork->site = same_as ? model_site(model, same_as) : model_site_of_first(model, event, id);
  fork->site->forks++;
  if (!same_as && !fork->site->event)
    fork->site->event = json_incref(event);
  // What the child did before exec it did in the memory of the parent, whose locks have owners.
  if (redirected) {
    set_outcome(fork, OUTCOME_EXEC);
    return NULL;
  }
  add_undecided(model, fork);
  return add_early(model, fork);
}

static bool
same_path(const char *a, const char *b)
{
  char *real = strcmp(a, b) ? realpath(a, NULL) : NULL;
  bool same = !strcmp(real ? real : a, b);
  free(real);
  return same;
}

bool
model_is_blind_to(const struct model *model, const char *path)
{
  for (size_t i = 0; i < model->blind_count; i++)
    if (same_path(model->blind[i].path, path))
      return true;
  return false;
}

static void
add_blind(struct model *model, json_t *event)
{
  const char *path = get_string(event, "path"), *why = get_string(event, "why");
  path = path ? path : "?";
  why = why ? why : "unknown";
  for (size_t i = 0; i < model->blind_count; i++)
    if (!strcmp(model->blind[i].path, path) && !strcmp(model->blind[i].why, why))
      return;
  if (!model_may_keep(model))
    return;
  model->blind = xrealloc(model->blind, (model->blind_count + 1) * sizeof *model->blind);
  model->blind[model->blind_count++] = (struct blind_spot){xstrdup(path), xstrdup(why)};
}

struct fork_record *
model_add(struct model *model, json_t *event)
{
  const char *kind = get_string(event, "event");
  model->events++;
  if (!has_room(model, event))
    return NULL;
  long long time_ns = get_integer(event, "time_ns");
  if (time_ns > model->last_ns)
    model->last_ns = time_ns;
  if (!strcmp(kind, "fork"))
    return add_fork(model, event);
  if (!strcmp(kind, "child"))
    add_grandchild(model, event);
  const char *id = get_string(event, "fork");
  if (!strcmp(kind, "exec") && id && !get_string(event, "error"))
    set_gone(fork_of_pid(model, id, get_integer(event, "pid")), get_integer(event, "pid"), true);
  if (!strcmp(kind, "exec"))
    return add_exec(model, event);
  if (!strcmp(kind, "exit"))
    return add_exit(model, event);
  if (!strcmp(kind, "fault"))
    add_fault(model, event);
  if (!strcmp(kind, "blind"))
    add_blind(model, event);
  if (!strcmp(kind, "waiting") && model_may_keep(model))
    json_array_append(model->waiting, event);

  return NULL;
}

const struct fork_record *
model_fork(const struct model *model, const char *id)
{
  const json_t *position = id ? json_object_get(model->fork_index, id) : NULL;
  return position ? model->forks[json_integer_value(position)] : NULL;
}

struct fork_record *
model_find(struct model *model, json_t *event)
{
  const char *id = get_string(event, "fork");
  struct fork_record *fork = id ? fork_of(model, id) : NULL;
  if (!fork || !fork->event)
    return NULL;
  json_decref(fork->finding);
  fork->finding = json_incref(event);
  return fork;
}

void
model_add_stray(struct model *model, json_t *event)
{
  json_array_append(model->strays, event);
}

struct fork_record *
model_expire(struct model *model, long long now_ns)
{
  for (size_t i = 0; i < model->undecided_count; i++) {
    struct fork_record *fork = model->forks[model->undecided[i]];
    if (now_ns - fork->time_ns <= EXEC_GRACE_US * 1000)
      continue;
    model->undecided[i] = model->undecided[--model->undecided_count];
    return set_outcome(fork, OUTCOME_HAZARD);
  }
  return NULL;
}

long long
model_deadline_ns(const struct model *model)
{
  long long first = -1;
  for (size_t i = 0; i < model->undecided_count; i++) {
    long long deadline = model->forks[model->undecided[i]]->time_ns + EXEC_GRACE_US * 1000 + 1;
    if (first < 0 || deadline < first)
      first = deadline;
  }
  return first;
}

struct tally
model_tally(const struct model *model)
{
  struct tally tally = {.suspect = (unsigned)json_array_size(model->strays)};
  for (size_t i = 0; i < model->fork_count; i++) {
    const struct fork_record *fork = model->forks[i];
    if (!fork->event)
      continue;
    tally.forks++;
    tally.exec += fork->outcome == OUTCOME_EXEC;
    tally.unsafe += fork->outcome == OUTCOME_EXEC && json_array_size(fork->unsafe_calls);
    tally.hazard += fork->outcome == OUTCOME_HAZARD && !fork->suppressed;
    tally.running += fork->outcome == OUTCOME_RUNNING;
    tally.faults += fork->fault != 0;
    bool found = fork->finding && !fork->finding_suppressed;
    bool proven = found && !strcmp(get_string(fork->finding, "event"), "deadlock");
    tally.deadlock += proven;
    tally.suspect += found && !proven;
  }
  for (size_t i = 0; i < model->site_count; i++)
    tally.sites += model->sites[i]->forks > 0;
  return tally;
}
