#include "session.h"
#include "symbols/frame.h"
#include "report/gen_suppressions.h"
#include "base/json_fields.h"
#include "base/open_file.h"
#include "report/json.h"
#include "symbols/symbolize.h"
#include "base/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *
open_report(const char *name, FILE *stream)
{
  if (!name)
    return stream;
  char *path = expand_file_name(name);
  FILE *file = open_stream(path, "w");
  if (!file)
    die("--report: %s: %s", path, open_error());
  free(path);
  return file;
}

static bool
wants_color(const struct options *options, FILE *out)
{
  if (options->color != COLOR_AUTO)
    return options->color == COLOR_ALWAYS;
  const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
  return isatty(fileno(out)) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

void
session_open(struct session *session, const struct options *options, FILE *stream)
{
  *session = (struct session){.options = options, .log = -1};
  model_init(&session->model);
  if (options->log) {
    char *path = expand_file_name(options->log);
    session->log = open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666);
    if (session->log < 0)
      die("--log: %s: %s", path, open_error());
    session->log_name = path;
  }
  if (options->text && !options->gen_suppressions) {
    session->style.out = open_report(options->text_file, stream);
    session->style.color = wants_color(options, session->style.out);
    session->style.verbose = options->verbose;
  }
  if (options->json)
    session->json = open_report(options->json_file, stream);
  suppressions_add_built_in(&session->suppressions);
  for (size_t i = 0; i < options->suppressions_count; i++)
    suppressions_read(&session->suppressions, options->suppressions[i]);
}

static void
write_log(struct session *session, const json_t *event)
{
  if (session->log < 0)
    return;
  char *text = json_dumps(event, JSON_COMPACT);
  if (!text)
    return;
  size_t length = strlen(text);
  text[length++] = '\n';  // in place of the NUL
  for (size_t done = 0; done < length;) {
    ssize_t n = write(session->log, text + done, length - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      message("--log: %s: %m: the rest of the events is not logged", session->log_name);
      close(session->log);
      session->log = -1;
      break;
    }
    done += (size_t)n;
  }
  free(text);
}

// The child reported for this place before, with threads made by the same modules; 0: none.
static long long
reported_before(struct session *session, const struct fork_record *fork, const char *place)
{
  json_t *children = json_object_get(session->hazards, place), *group;
  size_t i;
  json_array_foreach(get_array(fork_stacks(fork), "groups"), i, group)
  {
    const char *module = get_string(group, "module");
    if (module && !json_object_get(children, module))
      return 0;
  }
  return get_integer(children, "");
}

static void
remember(struct session *session, const struct fork_record *fork, const char *place)
{
  json_t *children = json_object_get(session->hazards, place), *group;
  size_t i;
  if (!children) {
    children = json_object();
    json_object_set_new(session->hazards, place, children);
  }
  json_object_set_new(children, "", json_integer(fork->child));
  json_array_foreach(get_array(fork_stacks(fork), "groups"), i, group)
  {
    const char *module = get_string(group, "module");
    if (module)
      json_object_set_new(children, module, json_true());
  }
}

// A place that forks may be called from many: those after the first get a line.
static void
render(struct session *session, struct fork_record *fork, bool hazard)
{
  char *place = render_place(fork);
  if (!session->hazards)
    session->hazards = json_object();
  long long child = hazard ? reported_before(session, fork, place) : 0;
  if (child && !session->options->verbose)
    render_fork_again(&session->style, fork, place, child);
  else
    render_fork(&session->style, fork);
  if (hazard && !child)
    remember(session, fork, place);
  free(place);
}

static void
report(struct session *session, struct fork_record *fork)
{
  struct site *site = fork->site;
  bool hazard = fork->outcome == OUTCOME_HAZARD;
  if (hazard) {
    symbolize_event(fork_stacks(fork));
    fork->suppressed = suppressed(&session->suppressions, "hazard", fork_stacks(fork));
    if (fork->suppressed) {
      if (site->hazard == fork)
        site->hazard = NULL;  // the next one that is not is the first
      return;
    }
  }
  bool first = hazard ? site->hazard == fork : !site->exec_reported;
  if (!first || (!hazard && !session->options->verbose))
    return;
  if (!hazard)
    site->exec_reported = true;
  bool text = session->style.out && !session->options->quiet;
  if (text || session->json)
    symbolize_event(fork_stacks(fork));
  if (text)
    render(session, fork, hazard);
}

// A fork that does not return has no event.
static void
report_stray(struct session *session, json_t *event)
{
  if (get_string(event, "fork") ||
      suppressed_stack(&session->suppressions, "suspect", get_array(event, "stack")))
    return;
  model_add_stray(&session->model, event);
  symbolize_event(event);
  if (session->style.out && !session->options->quiet)
    render_stray(&session->style, event);
}

static void
report_finding(struct session *session, json_t *event)
{
  struct fork_record *fork = model_find(&session->model, event);
  if (!fork) {
    report_stray(session, event);
    return;
  }
  const char *type = get_string(event, "event");
  symbolize_event(event);
  symbolize_event(fork->event);
  symbolize_event(fork_stacks(fork));
  fork->finding_suppressed =
      suppressed_stack(&session->suppressions, type, get_array(event, "stack")) ||
      suppressed_stack(&session->suppressions, type, get_array(event, "python")) ||
      suppressed(&session->suppressions, type, fork_stacks(fork));
  if (fork->finding_suppressed || !session->style.out || session->options->quiet)
    return;
  char *place = stack_place_of_thread(event);
  struct site *site = fork->site;
  if (!site->findings)
    site->findings = json_object();
  if (json_object_get(site->findings, place)) {
    render_finding_again(&session->style, fork, place);
  } else {
    json_object_set_new(site->findings, place, json_integer(get_integer(event, "pid")));
    render_finding(&session->style, fork);
  }
  free(place);
}

static void
report_waiting(struct session *session, json_t *event)
{
  symbolize_event(event);
  if (session->style.out && !session->options->quiet)
    render_waiting(&session->style, event);
}

static void
report_given_up(struct session *session, json_t *event)
{
  symbolize_event(event);
  if (session->style.out && !session->options->quiet)
    render_given_up(&session->style, event);
}

static void
say(struct session *session, const char *prefix, const char *text, bool always)
{
  bool wanted = session->options->verbose || (always && !session->options->quiet);
  if (!session->style.out || !wanted || !text)
    return;
  fprintf(session->style.out, "forkhound: %s", prefix);
  put_escaped(session->style.out, text);
  fputc('\n', session->style.out);
  fflush(session->style.out);
}

static void
report_redirect(struct session *session, const json_t *event)
{
  redirects_add(&session->model.redirects, event);
  learned_add(&session->learned, event);
  if (session->style.out && !session->options->quiet)
    redirects_render(session->style.out, &session->model.redirects, event,
                     session->options->verbose);
}

void
session_event(struct session *session, json_t *event)
{
  if (!event)
    return;
  if (session->log >= 0) {
    symbolize_event(event);
    write_log(session, event);
  }
  if (!strcmp(get_string(event, "event"), "note"))
    say(session, "note: ", get_string(event, "text"),
        json_is_true(json_object_get(event, "always")));
  if (!strcmp(get_string(event, "event"), "redirect"))
    report_redirect(session, event);
  if (!strcmp(get_string(event, "event"), "given_up"))
    report_given_up(session, event);
  if (!strcmp(get_string(event, "event"), "waiting"))
    report_waiting(session, event);
  struct fork_record *decided = model_add(&session->model, event);
  if (decided)
    report(session, decided);
  if ((!strcmp(get_string(event, "event"), "deadlock") ||
       !strcmp(get_string(event, "event"), "suspect")) &&
      model_may_keep(&session->model))
    report_finding(session, event);
  model_shorten(&session->model, event);
  session->model.next_bytes = 0;
  json_decref(event);
}

// Whether its values would take far more memory than its text, as numbers do: an estimate, by their
// separators.
static bool
is_heavy(const char *line, size_t length)
{
  static const size_t MOST = 128 << 20;
  size_t bytes = 0;
  for (size_t i = 0; i < length && bytes <= MOST; i++) {
    switch (line[i]) {
    case '{': bytes += 320; break;
    case ':': bytes += 128; break;
    case '[': bytes += 128; break;
    case ',': bytes += 48; break;
    default: break;
    }
  }
  return bytes > MOST;
}

static void
leave_out_line(struct session *session, size_t length, size_t number)
{
  if (session->left_out_lines++ == 0)
    message("event %zu%s: left out", number,
            length ? " is longer than 16 MB, or holds too many values" : " is a hole in the file");
}

void
session_line(void *context, const char *line, size_t length, size_t number)
{
  struct session *session = context;
  if (!line || is_heavy(line, length)) {
    leave_out_line(session, length, number);
    return;
  }
  json_t *event = json_loadb(line, length, JSON_ALLOW_NUL, NULL);
  session->model.next_bytes = length;
  if (!get_string(event, "event")) {
    json_decref(event);
    if (session->bad_count < MOST_BAD_LINES)
      session->bad_lines[session->bad_count] = number;
    session->bad_count++;
    return;
  }
  session_event(session, event);
}

void
session_tick(struct session *session, long long now_ns)
{
  struct fork_record *fork;
  while ((fork = model_expire(&session->model, now_ns)))
    report(session, fork);
}

bool
session_failed(const struct session *session)
{
  struct tally tally = model_tally(&session->model);
  enum level fail_on = session->options->fail_on;
  return (tally.hazard > 0 && fail_on <= LEVEL_HAZARD) ||
         (tally.suspect > 0 && fail_on <= LEVEL_SUSPECT) ||
         (tally.deadlock > 0 && fail_on <= LEVEL_DEADLOCK);
}

static void
close_report(FILE *file)
{
  if (!file)
    return;
  bool bad = ferror(file) || fflush(file);
  if (bad)
    message("--report: %m");
  if (file != stdout && file != stderr)
    fclose(file);
}

void
session_close(struct session *session, bool always, int exit_status)
{
  if (session->style.out &&
      (always || session->options->verbose || model_tally(&session->model).forks ||
       session->model.blind_count || json_array_size(session->model.strays)))
    render_summary(&session->style, &session->model);
  if (session->style.out)
    learned_print(&session->learned, session->style.out, session->options->verbose);
  if (session->style.out && session->options->print_suppressions)
    suppressions_print(&session->suppressions, session->style.out);
  if (session->options->gen_suppressions)
    gen_suppressions(stdout, &session->model);
  if (session->json)
    render_json(session->json, &session->model, exit_status);
  close_report(session->style.out);
  close_report(session->json);
  if (session->log >= 0)
    close(session->log);
  suppressions_free(&session->suppressions);
  learned_free(&session->learned);
  json_decref(session->hazards);
  model_free(&session->model);
}
