#include "watch.h"
#include "json_get.h"
#include "procfs.h"
#include "proof.h"
#include "text.h"

#include <stdlib.h>

static void
take_in(struct watch *watch, const struct model *model)
{
  for (; watch->next_fork < model->arrived_count; watch->next_fork++) {
    const struct arrival *arrival = &model->arrived[watch->next_fork];
    struct watched watched = {.fork = arrival->fork, .pid = (pid_t)arrival->pid};
    char state;
    if (watched.pid <= 0 || model_gone(model, watched.pid) ||
        !procfs_stat(watched.pid, &state, &watched.start))
      continue;
    watch->list = xrealloc(watch->list, (watch->count + 1) * sizeof *watch->list);
    watch->list[watch->count++] = watched;
  }
}

bool
watched_lives(const struct watched *watched)
{
  char state;
  unsigned long long start;
  return procfs_stat(watched->pid, &state, &start) && start == watched->start && state != 'Z' &&
         state != 'X';
}

static void
forget(struct watch *watch, size_t i)
{
  wait_state_free(&watch->list[i].wait);
  watch->list[i] = watch->list[--watch->count];
}

static void
look(struct watch *watch, struct watched *watched, long long now_ns)
{
  struct wait_state wait;
  if (!wait_state_read(watched->pid, &wait)) {
    wait_state_free(&watched->wait);
    return;
  }
  bool same = wait_state_equal(&wait, &watched->wait, true);
  /* Our own look at its stack interrupts the wait: that is no news of it. */
  if (!same && !wait_state_equal(&wait, &watched->wait, false))
    watched->told = false;
  wait_state_free(&watched->wait);
  watched->wait = wait;
  if (!same) {
    watched->since_ns = now_ns;
    return;
  }
  if (watched->told || now_ns - watched->since_ns < watch->stuck_after_ns)
    return;
  watched->told = true;
  const json_t *event_of_fork = watched->fork->event;
  struct suspect suspect = {.pid = watched->pid,
                            .exe = get_string(event_of_fork, "exe"),
                            .fork_event = event_of_fork,
                            .site_event = watched->fork->site ? watched->fork->site->event : NULL};
  json_t *event = prove(&suspect, &watched->wait, (now_ns - watched->since_ns) / 1000000);
  if (event && watched_lives(watched))
    watch->found(watch->context, watched->pid, event);
  else
    json_decref(event);
}

void
watch_tick(struct watch *watch, const struct model *model, long long now_ns)
{
  take_in(watch, model);
  for (size_t i = watch->count; i-- > 0;) {
    struct watched *watched = &watch->list[i];
    if (model_gone(model, watched->pid) || !watched_lives(watched)) {
      forget(watch, i);
      continue;
    }
    look(watch, watched, now_ns);
  }
}

void
watch_free(struct watch *watch)
{
  while (watch->count > 0)
    forget(watch, 0);
  free(watch->list);
  watch->list = NULL;
}
