#include "text_fork.h"
#include "symbols/frame.h"
#include "symbols/python_frame.h"
#include "print_stack.h"
#include "advice.h"
#include "base/json_fields.h"
#include "text_parts.h"
#include "base/message.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

char *
render_place(const struct fork_record *fork)
{
  const json_t *event = fork_stacks(fork);
  char *python = python_place(get_array(event, "python"));
  return python ? python : stack_place(get_array(event, "site"));
}

static char *
duration(long long us)
{
  if (us < 10000)
    return xasprintf("%lld us", us);
  return us < 10000000 ? xasprintf("%lld ms", us / 1000) : xasprintf("%lld s", us / 1000000);
}

// What the child did, as the end of a sentence.
static char *
fate(const struct fork_record *fork)
{
  char *result, *after = NULL;
  if (fork->exec_path) {
    after = duration(fork->exec_after_us);
    result = fork->outcome == OUTCOME_EXEC
                 ? xasprintf("the child exec'd %s after %s", fork->exec_path, after)
                 : xasprintf("the child ran on for %s before it exec'd %s", after, fork->exec_path);
  } else if (fork->ended && fork->outcome == OUTCOME_EXEC) {
    result = xasprintf("the child could not exec (%s) and exited with status %lld",
                       fork->exec_error, fork->status);
  } else if (fork->ended) {
    after = fork->exit_after_us < 0 ? xstrdup("an unknown time") : duration(fork->exit_after_us);
    result = fork->status_known
                 ? xasprintf("the child ran on without exec and exited with status %lld after %s",
                             fork->status, after)
             : fork->exit_after_us < 0
                 ? xstrdup("the child ran on without exec and ended")
                 : xasprintf("the child ran on without exec and ended after %s", after);
  } else {
    result = xstrdup("the child ran on without exec");
  }
  free(after);
  return result;
}

void
render_strings(FILE *out, const char *label, const json_t *strings)
{
  size_t i;
  json_t *item;
  const char *before = ": ";
  if (!json_array_size(strings))
    return;
  fprintf(out, "  %s", label);
  json_array_foreach((json_t *)strings, i, item)
  {
    if (!json_is_string(item))
      continue;
    fputs(before, out);
    put_escaped(out, json_string_value(item));
    before = ", ";
  }
  fputc('\n', out);
}

void
render_test(FILE *out, const json_t *event)
{
  const char *test = get_string(event, "test");
  if (!test)
    return;
  fputs("  Running test: ", out);
  put_escaped(out, test);
  fputc('\n', out);
}

static void
put_header(FILE *out, const struct style *style, const struct fork_record *fork)
{
  const json_t *event = fork->event;
  bool hazard = fork->outcome == OUTCOME_HAZARD;
  long long others = get_integer(event, "threads") - 1;
  const char *name = python_thread_label(event), *exe = get_string(event, "exe");
  char *end = fate(fork), *safe_name = escaped(name), *safe_exe = escaped(base_name(exe)),
       *safe_end = escaped(end);
  fprintf(out,
          "%sforkhound: %s: thread %lld \"%s\" of process %lld (%s) forked child %lld while %lld "
          "other thread%s alive, "
          "and %s%s\n",
          style->color ? (hazard ? "\033[1;31m" : "\033[1m") : "", hazard ? "HAZARD" : "exec",
          get_integer(event, "tid"), safe_name, get_integer(event, "pid"), safe_exe, fork->child,
          others, others == 1 ? " was" : "s were", safe_end, style->color ? "\033[0m" : "");
  free(end);
  free(safe_name);
  free(safe_exe);
  free(safe_end);
}

static void
put_summary_line(FILE *out, const struct style *style, const struct fork_record *fork)
{
  char *place = render_place(fork), *groups = render_histogram(fork_stacks(fork));
  char *safe_place = escaped(place), *safe_groups = escaped(groups);
  bool hazard = fork->outcome == OUTCOME_HAZARD;
  fprintf(out,
          "%sSUMMARY: forkhound: %s at %s: child %lld of %lld %s a copy of a process with %lld "
          "threads%s%s%s%s\n",
          style->color ? "\033[1m" : "", hazard ? "hazard" : "exec", safe_place, fork->child,
          get_integer(fork->event, "pid"), hazard ? "ran on in" : "exec'd in",
          get_integer(fork->event, "threads"), *groups ? " (" : "", safe_groups, *groups ? ")" : "",
          style->color ? "\033[0m" : "");
  free(place);
  free(groups);
  free(safe_place);
  free(safe_groups);
}

static void
put_fork(FILE *out, const struct style *style, const struct fork_record *fork)
{
  static const char rule[] = "==================\n";
  const json_t *event = fork_stacks(fork);
  fputs(rule, out);
  put_header(out, style, fork);
  render_test(out, fork->event);
  if (event != fork->event) {
    const char *id = get_string(event, "id");
    fputs("  The threads and stacks are those of the first fork at this place, ", out);
    put_escaped(out, id ? id : "?");
    fprintf(out, ", of child %lld.\n", get_integer(event, "child"));
  }
  char *groups = render_histogram(event);
  if (*groups) {
    fputs("  Other threads: ", out);
    put_escaped(out, groups);
    fputc('\n', out);
  }
  free(groups);
  render_gone(out, event);
  render_strings(out, "Called before exec, though not async-signal-safe", fork->unsafe_calls);
  fputs("  Forked at:\n", out);
  stack_print_thread(out, event, "site", 4);
  render_other_threads(out, event, false);
  render_strings(out, "Note", get_array(event, "notes"));
  if (style->verbose)
    render_strings(out, "Registered fork handlers", get_array(event, "atfork"));
  if (fork->outcome == OUTCOME_HAZARD)
    advice_put(out, get_string(fork->event, "exe"), event, NULL);
  put_summary_line(out, style, fork);
  fputs(rule, out);
}

// The report is written in one piece: other processes write to the same terminal.
void
render_fork(const struct style *style, const struct fork_record *fork)
{
  char *text = NULL;
  size_t size = 0;
  FILE *buffer = open_memstream(&text, &size);
  if (!buffer)
    return;
  put_fork(buffer, style, fork);
  if (!fclose(buffer))
    fwrite(text, 1, size, style->out);
  free(text);
  fflush(style->out);
}

void
render_fork_again(const struct style *style, const struct fork_record *fork, const char *place,
                  long long child)
{
  const json_t *event = fork_stacks(fork);
  char *groups = render_histogram(event), *safe_groups = escaped(groups);
  char *safe_place = escaped(place), *test = escaped(get_string(event, "test"));
  fprintf(style->out,
          "forkhound: HAZARD: child %lld of %lld too, forked at %s as child %lld above, but called "
          "from elsewhere%s%s (%s; -v has the stacks)\n",
          fork->child, get_integer(fork->event, "pid"), safe_place, child,
          *test ? ", in test " : "", test, safe_groups);
  free(groups);
  free(safe_groups);
  free(safe_place);
  free(test);
  fflush(style->out);
}

static void
put_waiting(FILE *out, const json_t *waiting)
{
  size_t i;
  json_t *event;
  json_array_foreach((json_t *)waiting, i, event)
  {
    const char *kind = get_string(json_object_get(event, "lock"), "kind");
    char *place = stack_place_of_thread(event), *safe_place = escaped(place);
    char *safe_kind = escaped(kind);
    fprintf(out, "%s child %lld in %s at %s",
            i ? "," : "; at the time limit still waiting:", get_integer(event, "pid"), safe_kind,
            safe_place);
    free(place);
    free(safe_place);
    free(safe_kind);
  }
}

static const char *
fault_name(int signal)
{
  switch (signal) {
  case SIGSEGV: return "SIGSEGV";
  case SIGBUS: return "SIGBUS";
  case SIGILL: return "SIGILL";
  case SIGFPE: return "SIGFPE";
  case SIGABRT: return "SIGABRT";
  case SIGSYS: return "SIGSYS";
  case SIGTRAP: return "SIGTRAP";
  default: return "a signal";
  }
}

// "; 3 children ended by a fault: SIGSEGV, forked at app.py:12 in main, ..."; with -v all of them.
static void
put_faults(FILE *out, const struct model *model, unsigned count, bool all)
{
  enum { SHOWN = 3 };
  unsigned shown = 0;
  fprintf(out, "; %u %s ended by a fault:", count, count == 1 ? "child" : "children");
  for (size_t i = 0; i < model->fork_count && (all || shown < SHOWN); i++) {
    const struct fork_record *fork = model->forks[i];
    if (!fork->fault)
      continue;
    char *place = render_place(fork), *safe = escaped(place);
    fprintf(out, "%s child %lld by %s, forked at %s", shown++ ? "," : "", fork->child,
            fault_name(fork->fault), safe);
    free(place);
    free(safe);
  }
  fputs(shown < count ? ", ..." : "", out);
}

void
render_summary(const struct style *style, const struct model *model)
{
  struct tally tally = model_tally(model);
  FILE *out = style->out;
  if (tally.forks) {
    fprintf(out, "forkhound: %u multithreaded fork%s from %u site%s:", tally.forks,
            tally.forks == 1 ? "" : "s", tally.sites, tally.sites == 1 ? "" : "s");
    const char *comma = "";
    if (tally.exec) {
      fprintf(out, " %u exec'd", tally.exec);
      if (tally.unsafe)
        fprintf(out, " (%u after calls that are not async-signal-safe%s)", tally.unsafe,
                style->verbose ? "" : "; -v names them");
      comma = ",";
    }
    if (tally.hazard) {
      fprintf(out, "%s %u hazard%s", comma, tally.hazard, tally.hazard == 1 ? "" : "s");
      comma = ",";
    }
    if (tally.running)
      fprintf(out, "%s %u still running", comma, tally.running);
    if (tally.deadlock)
      fprintf(out, "; %u deadlock%s", tally.deadlock, tally.deadlock == 1 ? "" : "s");
  } else {
    fputs("forkhound: no multithreaded fork seen", out);
  }
  if (tally.faults)
    put_faults(out, model, tally.faults, style->verbose);
  if (tally.suspect)
    fprintf(out, "; %u suspect%s", tally.suspect, tally.suspect == 1 ? "" : "s");
  put_waiting(out, model->waiting);
  if (model->left_out)
    fprintf(out, "; %zu event%s left out, beyond what may be kept", model->left_out,
            model->left_out == 1 ? "" : "s");
  redirects_render_summary(out, &model->redirects);
  for (size_t i = 0; i < model->blind_count; i++) {
    fputs(i ? ", " : "; blind spots: ", out);
    put_escaped(out, model->blind[i].path);
    fputs(" (", out);
    put_escaped(out, model->blind[i].why);
    fputc(')', out);
  }
  fputc('\n', out);
  fflush(out);
}
