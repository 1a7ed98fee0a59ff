#include "darwin_watch.h"
#include "base/clock.h"
#include "base/json_fields.h"
#include "process/darwin_sample.h"
#include "process/system_darwin.h"
#include "base/message.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum { MOST_LOOKS = 3, MOST_BYTES = 4 << 20 };

void
sample_watch_init(struct sample_watch *watch, const char *folder, long long stuck_after_ns)
{
  *watch = (struct sample_watch){.stuck_after_ns = stuck_after_ns,
                                 .file = xasprintf("%s.sample", folder)};
}

static void
take_in(struct sample_watch *watch, const struct model *model)
{
  for (; watch->next_fork < model->arrived_count; watch->next_fork++) {
    const struct arrival *arrival = &model->arrived[watch->next_fork];
    watch->list = xrealloc(watch->list, (watch->count + 1) * sizeof *watch->list);
    watch->list[watch->count++] =
        (struct sampled){.fork = arrival->fork,
                         .pid = (pid_t)arrival->pid,
                         .next_ns = clock_ns(CLOCK_MONOTONIC) + watch->stuck_after_ns,
                         .delay_ns = watch->stuck_after_ns};
  }
}

static bool
lives(const struct sampled *sampled)
{
  if (sampled->fork->child == sampled->pid && sampled->fork->ended)
    return false;
  return !fork_gone(sampled->fork, sampled->pid) && (!kill(sampled->pid, 0) || errno == EPERM);
}

static void
ask(struct sample_watch *watch, struct sampled *sampled)
{
  char pid[16];
  snprintf(pid, sizeof pid, "%d", (int)sampled->pid);
  const char *sampler = system_sampler();
  // One second, every 10 ms.
  char *arguments[] = {(char *)sampler, pid, "1", "10", "-mayDie", "-file", watch->file, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd <= 2; fd++)
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  int error = posix_spawn(&watch->asking, sampler, &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  sampled->looks++;
  sampled->delay_ns *= 4;
  sampled->next_ns = clock_ns(CLOCK_MONOTONIC) + sampled->delay_ns;
  watch->asked = sampled->pid;
  if (error) {
    message("%s: %s: children that are stuck are not found", sampler, strerror(error));
    watch->asking = 0;
    sampled->looks = MOST_LOOKS;
  }
}

static char *
read_file(const char *path)
{
  FILE *file = fopen(path, "re");
  if (!file)
    return NULL;
  char *text = xrealloc(NULL, MOST_BYTES);
  size_t n = fread(text, 1, MOST_BYTES - 1, file);
  text[n] = 0;
  fclose(file);
  return text;
}

static json_t *
suspect(const struct sampled *sampled, const struct sample *sample, long long waited_ms)
{
  char *seen = xasprintf("the process has one thread, and all %lld samples of a second found it in "
                         "%s",
                         sample->count, sample->stub);
  json_t *proof = json_pack("[s, s]", seen,
                            "who holds the lock, and whether the wait has an end, is not to be had "
                            "on macOS");
  free(seen);
  return json_pack("{s:i, s:s, s:I, s:I, s:O?, s:O, s:{s:s}, s:O, s:o, s:I}", "v", 1, "event",
                   "suspect", "time_ns", (json_int_t)clock_ns(CLOCK_REALTIME), "pid",
                   (json_int_t)sampled->pid, "exe", json_object_get(sampled->fork->event, "exe"),
                   "fork", json_object_get(sampled->fork->event, "id"), "lock", "kind",
                   sample->kind, "stack", sample->stack, "proof", proof, "waited_ms",
                   (json_int_t)waited_ms);
}

static void
judge(struct sample_watch *watch, struct sampled *sampled)
{
  struct sample sample;
  char *text = read_file(watch->file);
  if (!text || !sample_read(text, &sample)) {
    free(text);
    return;
  }
  free(text);
  if (sample.kind && sampled->fork->event) {
    long long age = clock_ns(CLOCK_REALTIME) - sampled->fork->time_ns;
    sampled->looks = MOST_LOOKS;
    watch->found(watch->context, suspect(sampled, &sample, age / 1000000));
  }
  json_decref(sample.stack);
}

void
sample_watch_tick(struct sample_watch *watch, const struct model *model)
{
  take_in(watch, model);
  for (size_t i = watch->count; i-- > 0;)
    if (!lives(&watch->list[i]))
      watch->list[i] = watch->list[--watch->count];
  for (size_t i = 0; i < watch->count && !watch->asking; i++)
    if (watch->list[i].looks < MOST_LOOKS && clock_ns(CLOCK_MONOTONIC) >= watch->list[i].next_ns)
      ask(watch, &watch->list[i]);
}

bool
sample_watch_reaped(struct sample_watch *watch, pid_t pid, int status)
{
  if (!watch->asking || pid != watch->asking)
    return false;
  watch->asking = 0;
  if (!status) {
    for (size_t i = 0; i < watch->count; i++)
      if (watch->list[i].pid == watch->asked)
        judge(watch, &watch->list[i]);
  } else if (!watch->warned && !kill(watch->asked, 0)) {
    watch->warned = true;
    message("%s could not look at child %d: whether it is stuck is not known", system_sampler(),
            (int)watch->asked);
  }
  unlink(watch->file);
  return true;
}

bool
sample_watch_busy(const struct sample_watch *watch)
{
  for (size_t i = 0; i < watch->count; i++)
    if (watch->list[i].looks == 0)
      return true;
  return watch->asking != 0;
}

void
sample_watch_free(struct sample_watch *watch)
{
  unlink(watch->file);
  free(watch->file);
  free(watch->list);
}
