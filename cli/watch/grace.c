#include "grace.h"
#include "base/clock.h"
#include "base/message.h"

#include <stdlib.h>
#include <string.h>

enum { SAME_PLACE = 3, MOST_PLACES = 256, LOOKS = 10 };

static const long long LEAST_BETWEEN_NS = 50000000, MOST_BETWEEN_NS = 2000000000;

// Where children were found stuck, and what the rest of the tree had done by the first time.
struct grace_place {
  char *name;
  unsigned times;
  long long ended_ns;  // the last one, CLOCK_REALTIME
  long long since_ns;
  struct usage *others;
  size_t other_count;
};

void
grace_begin(struct grace *grace, double seconds)
{
  *grace = (struct grace){.grace_ns = (long long)(seconds * 1e9)};
}

void
grace_free(struct grace *grace)
{
  for (size_t i = 0; i < grace->place_count; i++) {
    free(grace->places[i].name);
    free(grace->places[i].others);
  }
  free(grace->places);
  free(grace->usage);
}

static void
start_again(struct grace *grace, size_t forks, long long now)
{
  long long between = grace->grace_ns / LOOKS;
  free(grace->usage);
  grace->usage_count = usage_of_tree(&grace->usage, NULL, 0);
  grace->since_ns = now;
  grace->forks = forks;
  between = between > MOST_BETWEEN_NS ? MOST_BETWEEN_NS : between;
  grace->next_ns = now + (between < LEAST_BETWEEN_NS ? LEAST_BETWEEN_NS : between);
}

static struct grace_place *
place_called(struct grace *grace, const char *name)
{
  for (size_t i = 0; i < grace->place_count; i++)
    if (!strcmp(grace->places[i].name, name))
      return &grace->places[i];
  if (grace->place_count == MOST_PLACES)
    return NULL;
  grace->places = xrealloc(grace->places, (grace->place_count + 1) * sizeof *grace->places);
  struct grace_place *place = &grace->places[grace->place_count++];
  *place = (struct grace_place){.name = xstrdup(name)};
  return place;
}

// Those of one generation count once: the program may not know yet that one was ended. A server
// whose other workers serve has work left, whatever becomes of this one.
static char *
count_at_place(struct grace_place *place, const struct ended_child *child, long long now)
{
  struct usage *others;
  const pid_t left_out[] = {child->pid, child->forker};
  if (place->times && child->forked_ns <= place->ended_ns)
    return NULL;
  place->ended_ns = clock_ns(CLOCK_REALTIME);
  size_t count = usage_of_tree(&others, left_out, 2);
  char *why = NULL;
  if (place->times &&
      usage_grew(place->others, place->other_count, others, count, now - place->since_ns))
    place->times = 0;
  if (place->times++ == 0) {
    free(place->others);
    place->others = others;
    place->other_count = count;
    place->since_ns = now;
    return NULL;
  }
  free(others);
  if (place->times >= SAME_PLACE)
    why = xasprintf("children deadlocked at the same place %u times, one after the other, and "
                    "nothing else went on",
                    place->times);
  return why;
}

char *
grace_ended_child(struct grace *grace, const struct ended_child *child, size_t forks)
{
  long long now = clock_ns(CLOCK_MONOTONIC);
  struct grace_place *place = grace->grace_ns ? place_called(grace, child->place) : NULL;
  grace->forker = child->forker;
  if (!grace->grace_ns)
    return NULL;
  start_again(grace, forks, now);
  return place ? count_at_place(place, child, now) : NULL;
}

char *
grace_look(struct grace *grace, size_t forks)
{
  struct usage *usage;
  long long now = clock_ns(CLOCK_MONOTONIC);
  if (!grace->next_ns || now < grace->next_ns)
    return NULL;
  size_t count = usage_of_tree(&usage, NULL, 0);
  bool works = forks != grace->forks ||
               usage_has_new(grace->usage, grace->usage_count, usage, count) ||
               usage_grew(grace->usage, grace->usage_count, usage, count, now - grace->since_ns);
  free(usage);
  if (works) {
    start_again(grace, forks, now);
    return NULL;
  }
  if (now - grace->since_ns < grace->grace_ns) {
    grace->next_ns += grace->next_ns - grace->since_ns < MOST_BETWEEN_NS
                          ? grace->next_ns - grace->since_ns
                          : MOST_BETWEEN_NS;
    long long end = grace->since_ns + grace->grace_ns;
    grace->next_ns = grace->next_ns < end ? grace->next_ns : end;
    return NULL;
  }
  grace->next_ns = 0;
  return xasprintf(
      "for %g s after the last deadlock it has not forked, written or used a processor "
      "to speak of (--grace)",
      (double)grace->grace_ns / 1e9);
}
