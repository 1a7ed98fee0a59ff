#include "event_json.h"

#include "process/foreign_handlers.h"
#include "os/kernel.h"
#include "unwind/symbol.h"
#include "process/unsafe_calls.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void
event_begin(struct text *t, const char *event, uint64_t time_ns, pid_t pid)
{
  text_add_string(t, "{\"v\":1,\"event\":\"");
  text_add_string(t, event);
  text_add_number(t, "\",\"time_ns\":", time_ns);
  text_add_number(t, ",\"pid\":", (uint64_t)(pid ? pid : getpid()));
  text_add_string(t, ",\"exe\":");
  text_add_json(t, process.exe);
}

// Threads alike share their frames (fork_report.c): what was written of them is copied.
enum { WRITTEN = 32 };
struct written {
  const struct frame *frames;
  bool first_is_return_address;
  size_t at, length;
};

static bool
add_again(struct text *t, const struct written *written, const struct written *wanted)
{
  for (int i = 0; i < WRITTEN; i++) {
    const struct written *w = &written[i];
    if (w->frames == wanted->frames && w->length < t->size - t->length &&
        w->first_is_return_address == wanted->first_is_return_address) {
      memcpy(t->bytes + t->length, t->bytes + w->at, w->length);
      t->length += w->length;
      return true;
    }
  }
  return false;
}

static void
add_frames(struct text *t, const struct story *story, const struct story_stack *stack,
           bool first_is_return_address)
{
  char symbol[512];

  for (int i = 0; i < stack->count; i++) {
    uint64_t pc = stack->frames[i].pc;
    const struct module *m = modules_find(story->modules, pc);
    text_add_string(t, i ? ",{\"pc\":\"" : "{\"pc\":\"");
    text_add_hex(t, pc);
    text_add_string(t, "\"");
    if (m) {
      text_add_string(t, ",\"module\":");
      text_add_json(t, m->path);
      text_add_string(t, ",\"offset\":\"");
      text_add_hex(t, pc - m->base);
      text_add_string(t, "\"");
      // A return address may be the first byte of the next function.
      if (symbol_of_event(m->path, pc - m->base - (i > 0 || first_is_return_address), symbol,
                          sizeof symbol)) {
        text_add_string(t, ",\"function\":");
        text_add_json(t, symbol);
      }
    }
    bool evaluates = story->interpreter && python_is_evaluation(story->interpreter, pc);
    text_add_string(t, evaluates ? ",\"evaluates\":true}" : "}");
  }
}

// `written` has WRITTEN elements.
static void
add_stack(struct text *t, const char *name, const struct story *story,
          const struct story_stack *stack, bool first_is_return_address, struct written *written)
{
  struct written this = {stack->frames, first_is_return_address, 0, 0};

  text_add_string(t, ",\"");
  text_add_string(t, name);
  text_add_string(t, "\":[");
  if (stack->count == 0 || !add_again(t, written, &this)) {
    this.at = t->length;
    add_frames(t, story, stack, first_is_return_address);
    this.length = t->length - this.at;
    memmove(written + 1, written, (WRITTEN - 1) * sizeof *written);
    written[0] = this;
  }
  text_add_string(t, "]");
}

static void
add_python(struct text *t, const struct story *story, const struct story_python *python)
{
  if (!story->interpreter)
    return;
  if (python->count == PYTHON_UNREADABLE)
    text_add_string(t, ",\"python_unreadable\":true");
  if (python->name) {
    text_add_string(t, ",\"python_name\":");
    text_add_json(t, python->name);
  }
  if (python->count < 0)
    return;
  text_add_string(t, ",\"python\":[");
  for (int i = 0; i < python->count; i++) {
    const struct python_frame *frame = &python->frames[i];
    text_add_string(t, i ? ",{\"file\":" : "{\"file\":");
    text_add_json(t, frame->file);
    if (frame->line)
      text_add_number(t, ",\"line\":", (uint64_t)frame->line);
    text_add_string(t, ",\"function\":");
    text_add_json(t, frame->function);
    text_add_string(t, frame->entry ? ",\"entry\":true}" : "}");
  }
  text_add_string(t, python->cut ? "],\"python_cut\":true" : "]");
}

static void
add_interpreter(struct text *t, const struct story *story)
{
  const char *version = python_version(story->interpreter);
  const char *note = python_note(story->interpreter);

  if (*version)
    text_add(t, ",\"python_version\":\"%s\"", version);
  add_python(t, story, &story->python);
  if (note)
    text_add(t, ",\"notes\":[\"%s\"]", note);
}

// The build-ids of the modules that the stacks name.
static void
add_modules(struct text *t, const struct modules *modules)
{
  bool first = true;

  text_add(t, ",\"modules\":[");
  for (int i = 0; i < modules->count; i++) {
    const struct module *m = &modules->at[i];
    if (m->build_id_length == 0)
      continue;
    text_add(t, "%s{\"path\":", first ? "" : ",");
    text_add_json(t, m->path);
    text_add(t, ",\"build_id\":\"");
    for (size_t k = 0; k < m->build_id_length; k++)
      text_add(t, "%02x", m->build_id[k]);
    text_add(t, "\"}");
    first = false;
  }
  text_add(t, "]");
}

// The modules that have registered fork handlers.
static void
add_handlers(struct text *t, const struct modules *modules)
{
  uint64_t handlers[64];
  int n = foreign_handlers_list(handlers, 64);

  text_add(t, ",\"atfork\":[");
  const char *comma = "";
  for (int i = 0; i < n; i++) {
    const struct module *m = modules_find(modules, handlers[i]);
    bool again = !m;
    for (int k = 0; k < i && !again; k++)
      again = modules_find(modules, handlers[k]) == m;
    if (again)
      continue;
    text_add_string(t, comma);
    text_add_json(t, module_name(m));
    comma = ",";
  }
  text_add_string(t, "]");
}

static void
add_thread(struct text *t, const struct story *story, const struct story_thread *thread,
           struct written *written)
{
  const char state[] = {thread->state, 0};

  text_add_number(t, "{\"tid\":", (uint64_t)thread->tid);
  text_add_string(t, ",\"thread\":");
  text_add_json(t, thread->name);
  text_add_string(t, ",\"state\":");
  text_add_json(t, state);
  text_add_string(t, ",\"group\":");
  text_add_json(t, thread->group);
  if (thread->exact) {
    text_add_string(t, ",\"exact\":");
    text_add_json(t, thread->exact);
  }
  add_stack(t, "stack", story, &thread->stack, false, written);
  add_python(t, story, &thread->python);
  if (thread->creator) {
    add_stack(t, "created_by", story, &thread->created_by, true, written);
    text_add_number(t, ",\"creator_tid\":", (uint64_t)thread->creator);
  }
  text_add_string(t, "}");
}

void
event_fork(struct text *t, const struct story *story)
{
  event_begin(t, "fork", story->time_ns, 0);
  text_add_string(t, ",\"id\":");
  text_add_json(t, story->id);
  text_add_number(t, ",\"tid\":", (uint64_t)story->tid);
  text_add_string(t, ",\"thread\":");
  text_add_json(t, story->thread);
  if (story->entry) {
    text_add_string(t, ",\"entry\":");
    text_add_json(t, story->entry);
  }
  if (story->child)
    text_add_number(t, ",\"child\":", (uint64_t)story->child);
  text_add_number(t, ",\"threads\":", (uint64_t)story->threads);
  text_add_number(t, ",\"threads_at_entry\":", (uint64_t)story->threads_at_entry);
  text_add_number(t, ",\"seen\":", story->seen);
  text_add_string(t, ",\"capture\":");
  text_add_json(t, story->capture);
  if (story->redirected)
    text_add_string(t, ",\"redirected\":true");
  if (story->test[0]) {
    text_add_string(t, ",\"test\":");
    text_add_json(t, story->test);
  }
  if (story->same_as[0]) {
    text_add_string(t, ",\"same_as\":");
    text_add_json(t, story->same_as);
  }
  if (story->capture_ns) {
    text_add_number(t, ",\"capture_us\":", story->capture_ns / 1000);
    text_add_number(t, ",\"stopped_us\":", story->stopped_ns / 1000);
  }
  if (story->why) {
    text_add(t, ",\"capture_why\":");
    text_add_json(t, story->why);
  }
  if (story->evidence) {
    text_add_string(t, ",\"evidence\":\"");
    text_add_hex(t, story->evidence);
    text_add_string(t, "\"");
  }
  if (story->python_evidence) {
    text_add_string(t, ",\"python_evidence\":\"");
    text_add_hex(t, story->python_evidence);
    text_add_string(t, "\"");
  }
  if (!story->same_as[0]) {
    struct written written[WRITTEN] = {{.frames = NULL}};
    add_stack(t, "site", story, &story->site, true, written);
    if (story->interpreter)
      add_interpreter(t, story);
    text_add(t, ",\"others\":[");
    for (int i = 0; i < story->other_count; i++) {
      text_add_string(t, i ? "," : "");
      add_thread(t, story, &story->others[i], written);
    }
    text_add(t, "],\"groups\":[");
    for (int i = 0; i < story->group_count; i++) {
      text_add(t, "%s{\"module\":", i ? "," : "");
      text_add_json(t, story->groups[i].module);
      text_add(t, ",\"count\":%d}", story->groups[i].count);
    }
    text_add(t, "]");
    if (story->modules) {
      add_handlers(t, story->modules);
      add_modules(t, story->modules);
    }
  }
  if (story->gone_count) {
    text_add(t, ",\"gone\":[");
    for (int i = 0; i < story->gone_count; i++) {
      text_add(t, "%s{\"tid\":%d,\"thread\":", i ? "," : "", (int)story->gone[i].tid);
      text_add_json(t, story->gone[i].name);
      text_add(t, "}");
    }
    text_add(t, "]");
  }
  text_add_string(t, "}\n");
}

static void
begin_outcome(struct text *t, const char *event)
{
  event_begin(t, event, now_ns(CLOCK_REALTIME), 0);
  text_add_string(t, ",\"fork\":");
  text_add_json(t, process.fork_id);
}

static void
end_outcome(struct text *t)
{
  text_add_number(t, ",\"after_us\":", (now_ns(CLOCK_MONOTONIC) - process.forked_at) / 1000);
  text_add_string(t, "}\n");
}

void
event_child(struct text *t)
{
  begin_outcome(t, "child");
  end_outcome(t);
}

void
event_exec(struct text *t, const char *path, int error)
{
  begin_outcome(t, "exec");
  text_add(t, ",\"path\":");
  text_add_json(t, path);
  if (error)
    text_add(t, ",\"error\":\"%s\"", kernel_error_name(error));
  unsafe_calls_add(t, "unsafe_calls");
  end_outcome(t);
}

void
event_exit(struct text *t, int status)
{
  begin_outcome(t, "exit");
  if (status != EVENT_STATUS_UNKNOWN)
    text_add_number(t, ",\"status\":", status & 0xff);
  if (process.exec_error)
    text_add(t, ",\"exec_error\":\"%s\"", kernel_error_name(process.exec_error));
  end_outcome(t);
}

void
event_fault(struct text *t, pid_t child, int signal)
{
  event_begin(t, "fault", now_ns(CLOCK_REALTIME), 0);
  text_add_number(t, ",\"child\":", (uint64_t)child);
  text_add_number(t, ",\"signal\":", (uint64_t)signal);
  text_add(t, "}\n");
}

void
event_blind(struct text *t, const char *path, const char *why)
{
  event_begin(t, "blind", now_ns(CLOCK_REALTIME), 0);
  text_add(t, ",\"path\":");
  text_add_json(t, path);
  text_add(t, ",\"why\":\"%s\"}\n", why);
}

void
event_redirect(struct text *t, const char *action, const struct redirect_story *story)
{
  event_begin(t, "redirect", now_ns(CLOCK_REALTIME), 0);
  text_add_string(t, ",\"site\":{\"module\":");
  text_add_json(t, story->module);
  text_add_string(t, ",\"offset\":\"");
  text_add_hex(t, story->offset);
  text_add_string(t, "\",\"function\":");
  text_add_json(t, story->function);
  text_add(t, "},\"action\":\"%s\",\"verdict\":\"%s\"", action, story->verdict);
  if (story->reason[0]) {
    text_add_string(t, ",\"reason\":");
    text_add_json(t, story->reason);
  }
  if (story->calls[0]) {
    text_add_string(t, ",\"calls\":");
    text_add_json(t, story->calls);
  }
  if (story->child)
    text_add(t, ",\"child\":%d", (int)story->child);
  text_add(t, ",\"after_us\":%" PRIu64 "}\n", story->after_ns / 1000);
}
