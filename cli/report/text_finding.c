#include "advice.h"
#include "symbols/frame.h"
#include "symbols/python_frame.h"
#include "print_stack.h"
#include "base/json_fields.h"
#include "text_fork.h"
#include "text_parts.h"
#include "base/message.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// The thread that owned the lock: as the finding has it, or the fork's event, or the first event of
// its site.
static const json_t *
owner_thread(const struct fork_record *fork, long long tid, bool *earlier)
{
  const json_t *owner = json_object_get(fork->finding, "owner");
  if (!owner)
    owner = find_thread(get_array(fork->event, "others"), tid);
  *earlier = !owner;
  return owner ? owner : find_thread(get_array(fork_stacks(fork), "others"), tid);
}

// The child itself, or a child of its.
static long long
stuck(const struct fork_record *fork)
{
  return get_integer(fork->finding, "pid");
}

static bool
is_what(const json_t *finding, const char *what)
{
  const char *is = get_string(finding, "what");
  return is && !strcmp(is, what);
}

static char *
lock_name(const json_t *lock)
{
  if (json_object_get(lock, "fd"))
    return xasprintf("%s, descriptor %lld", get_string(lock, "kind"), get_integer(lock, "fd"));
  const char *kind = get_string(lock, "kind"), *symbol = get_string(lock, "symbol");
  if (kind && !json_object_get(lock, "address"))  // not known on macOS
    return xstrdup(kind);
  const char *module = get_string(lock, "module"), *offset = get_string(lock, "offset");
  char *where = module ? xasprintf(" (%s+%s)", base_name(module), offset ? offset : "?")
                       : xstrdup(" (not in a module: heap, stack or thread-local)");
  long long into = get_integer(lock, "symbol_offset");
  char *inside = into ? xasprintf("+0x%llx", into) : xstrdup("");
  char *name =
      xasprintf("%s %s%s%s%s%s%s", kind ? kind : "futex", get_string(lock, "address"),
                symbol ? " `" : "", symbol ? symbol : "", inside, symbol ? "`" : "", where);
  free(where);
  free(inside);
  return name;
}

char *
render_lock(const json_t *lock)
{
  char *name = lock_name(lock), *safe = escaped(name);
  free(name);
  return safe;
}

// What is wrong with it. Not escaped; the caller frees it.
static char *
verdict(const json_t *finding, const char *lock, const char *missing)
{
  bool proven = !strcmp(get_string(finding, "event"), "deadlock");
  long long owner = get_integer(json_object_get(finding, "lock"), "owner_tid");
  if (is_what(finding, "spin"))
    return xasprintf("spins, and seems to wait for what only a thread could do that %s", missing);
  if (is_what(finding, "own end"))
    return xstrdup("seems to wait for itself: no other process could end its wait");
  const char *how = is_what(finding, "repeats")  ? "waits again and again"
                    : is_what(finding, "thread") ? "has a thread that may wait forever"
                    : proven                     ? "waits forever"
                                                 : "may wait forever";
  long long holder = get_integer(json_object_get(finding, "lock"), "held_by");
  if (holder)
    return xasprintf("%s for a lock that its own thread %lld holds", how, holder);
  return owner ? xasprintf("%s for %s", how, lock)
               : xasprintf("%s for what only a thread could do that %s", how, missing);
}

static void
put_header(FILE *out, const struct style *style, const struct fork_record *fork, bool proven)
{
  char *exe = escaped(base_name(get_string(fork->event, "exe")));
  char *lock = xasprintf("a lock that thread %lld held at the fork",
                         get_integer(json_object_get(fork->finding, "lock"), "owner_tid"));
  char *what = verdict(fork->finding, lock, "the fork left behind");
  fprintf(out, "%sforkhound: %s: child %lld (%s) of %lld %s%s\n", style->color ? "\033[1;31m" : "",
          proven ? "DEADLOCK" : "SUSPECT", stuck(fork), exe, get_integer(fork->event, "pid"), what,
          style->color ? "\033[0m" : "");
  free(exe);
  free(lock);
  free(what);
}

// The first thread of the process, or the one of it that explains why all wait.
static void
put_whose_stack(FILE *out, const json_t *finding, const char *process)
{
  long long pid = get_integer(finding, "pid"), tid = get_integer(finding, "tid");
  if (tid && tid != pid)
    fprintf(out, "  Thread %lld of %s %lld now:\n", tid, process, pid);
  else
    fprintf(out, "  %c%s %lld now:\n", toupper(*process), process + 1, pid);
}

// For locks that no thread left behind owns: what the child waits for.
static void
put_missing(FILE *out, const json_t *lock)
{
  static const struct {
    const char *kind, *sentence;
  } sentences[] = {
      {"condition variable", "A condition variable has no owner: the thread that was to signal it "
                             "is not in this process."},
      {"threading.RLock", "The Python thread that holds the RLock is not in this process."},
      {"lock of CPython", "A lock of CPython's has no owner: the thread that was to release it is "
                          "not in this process."},
      {"semaphore",
       "A semaphore has no owner: the thread that was to post it is not in this process."},
      {"barrier",
       "A barrier has no owner: a thread that was to arrive at it is not in this process."},
      {"barrier of an OpenMP team", "The threads of the team are not in this process."},
      {"std::future", "A std::future has no owner: the thread that was to set the value is not in "
                      "this process."},
      {"std::atomic wait",
       "It has no owner: the thread that was to change the value is not in this process."},
      {"std::counting_semaphore",
       "A semaphore has no owner: the thread that was to release it is not in this process."},
      {"std::latch",
       "A latch has no owner: a thread that was to count it down is not in this process."},
      {"std::barrier",
       "A barrier has no owner: a thread that was to arrive at it is not in this process."},
      {"Rust std::sync::mpsc channel",
       "The thread that was to send something through the channel is not in this process."},
      {"Rust std::thread::park", "The thread that was to unpark this one is not in this process."},
      {"pthread_mutex whose owner has ended",
       "The C library waits on purpose, and for ever: the thread that held this mutex, which "
       "inherits\n  priorities, has ended without unlocking it."},
      {"end of a thread",
       "The thread whose end it waits for waits too, or is not in this process."},
  };
  const char *kind = get_string(lock, "kind");
  long long holder = get_integer(lock, "held_by");
  if (holder) {
    fprintf(out, "  The lock is held by thread %lld of the process itself, which waits too.\n",
            holder);
    return;
  }
  for (size_t i = 0; kind && i < sizeof sentences / sizeof *sentences; i++)
    if (!strcmp(kind, sentences[i].kind)) {
      fprintf(out, "  %s\n", sentences[i].sentence);
      return;
    }
  if (!json_object_get(lock, "fd"))
    fputs("  This kind of lock does not record who holds it.\n", out);
}

static void
put_owner(FILE *out, const struct fork_record *fork)
{
  long long tid = get_integer(json_object_get(fork->finding, "lock"), "owner_tid");
  bool earlier = false;
  const json_t *owner = tid ? owner_thread(fork, tid, &earlier) : NULL;
  if (!tid) {
    put_missing(out, json_object_get(fork->finding, "lock"));
    return;
  }
  if (!owner) {
    fprintf(out, "  Thread %lld held the lock; its stack at the fork was not taken.\n", tid);
    return;
  }
  char *name = escaped(python_thread_label(owner));
  const char *of = get_string(owner, "of");
  fprintf(out, "  Thread %lld \"%s\" held the lock; %s:\n", tid, name,
          of && !strcmp(of, "parent")
              ? "at the fork it was not looked at; in the parent it is now at"
          : earlier ? "at the first fork from this place it was at"
                    : "at the fork it was at");
  free(name);
  stack_print_thread(out, owner, "stack", 4);
  render_creator(out, owner);
}

// Those of a later fork that was not looked at are no longer to be had where the parent is gone.
static void
put_others(FILE *out, const struct fork_record *fork)
{
  const json_t *stacks = fork_stacks(fork);
  bool own = get_array(fork->finding, "others"), earlier = !own && stacks != fork->event;
  if (earlier) {
    char *id = escaped(get_string(stacks, "id"));
    fprintf(out,
            "  The other threads were not looked at at this fork, number %lld from its place. At "
            "the first one, %s:\n",
            get_integer(fork->event, "seen"), id);
    free(id);
  }
  render_other_threads(out, own ? fork->finding : stacks, earlier);
}

static void
put_proof(FILE *out, const json_t *finding)
{
  size_t i;
  json_t *sentence;
  fputs(!strcmp(get_string(finding, "event"), "deadlock") ? "  Proof: " : "  Evidence: ", out);
  json_array_foreach(get_array(finding, "proof"), i, sentence)
  {
    fputs(i ? ";\n    " : "", out);
    put_escaped(out, json_string_value(sentence));
  }
  fputs(".\n", out);
}

static void
put_finding(FILE *out, const struct style *style, const struct fork_record *fork)
{
  static const char rule[] = "==================\n";
  const json_t *finding = fork->finding;
  const json_t *site = fork_stacks(fork);
  bool proven = !strcmp(get_string(finding, "event"), "deadlock");
  char *lock = lock_name(json_object_get(finding, "lock")), *safe_lock = escaped(lock);
  char *waits = stack_place_of_thread(finding), *forked = render_place(fork);
  char *safe_waits = escaped(waits), *safe_forked = escaped(forked);

  fputs(rule, out);
  put_header(out, style, fork, proven);
  fprintf(out, "  %s\n\n", safe_lock);
  put_whose_stack(out, finding, "child");
  stack_print_thread(out, finding, "stack", 4);
  char *thread = escaped(python_thread_label(fork->event));
  if (stuck(fork) != fork->child)
    fprintf(out, "  It was forked by child %lld, or a child of that.\n", fork->child);
  fprintf(out, "  %s was forked by thread %lld \"%s\" of %lld at:\n",
          stuck(fork) == fork->child ? "It" : "That child", get_integer(fork->event, "tid"), thread,
          get_integer(fork->event, "pid"));
  free(thread);
  stack_print_thread(out, site, "site", 4);
  render_test(out, fork->event);
  char *groups = render_histogram(site), *safe_groups = escaped(groups);
  long long others = get_integer(fork->event, "threads") - 1;
  fprintf(out, "  %lld other thread%s alive at the fork: %s\n", others,
          others == 1 ? " was" : "s were", safe_groups);
  put_owner(out, fork);
  const json_t *of = json_object_get(finding, "lock");
  if (!get_integer(of, "owner_tid") && !get_integer(of, "held_by"))
    put_others(out, fork);
  render_strings(out, "Note", get_array(finding, "notes"));
  put_proof(out, finding);
  advice_put(out, get_string(fork->event, "exe"), site, finding);
  fprintf(out, "%sSUMMARY: forkhound: %s at %s, forked at %s: child %lld of %lld%s\n",
          style->color ? "\033[1m" : "", proven ? "deadlock" : "suspect", safe_waits, safe_forked,
          stuck(fork), get_integer(fork->event, "pid"), style->color ? "\033[0m" : "");
  fputs(rule, out);
  free(lock);
  free(safe_lock);
  free(waits);
  free(forked);
  free(safe_waits);
  free(safe_forked);
  free(groups);
  free(safe_groups);
}

void
render_finding(const struct style *style, const struct fork_record *fork)
{
  char *text = NULL;
  size_t size = 0;
  FILE *buffer = open_memstream(&text, &size);
  if (!buffer)
    return;
  put_finding(buffer, style, fork);
  if (!fclose(buffer))
    fwrite(text, 1, size, style->out);
  free(text);
  fflush(style->out);
}

static void
put_stray(FILE *out, const struct style *style, const json_t *event)
{
  const json_t *lock = json_object_get(event, "lock"), *owner = json_object_get(event, "owner");
  char *exe = escaped(base_name(get_string(event, "exe")));
  char *thread = escaped(get_string(event, "thread")), *name = lock_name(lock);
  char *handler = escaped(get_string(event, "handler")), *safe_name = escaped(name);
  char *place = stack_place(get_array(event, "stack")), *safe_place = escaped(place);
  long long tid = get_integer(event, "tid"), pid = get_integer(event, "pid");
  fprintf(out,
          "==================\n%sforkhound: SUSPECT: thread %lld \"%s\" of process %lld (%s) does "
          "not come back from fork(): a fork handler of %s waits%s\n",
          style->color ? "\033[1;31m" : "", tid, thread, pid, exe, handler,
          style->color ? "\033[0m" : "");
  fprintf(out, "  %s\n\n  Thread %lld now:\n", safe_name, tid);
  stack_print(out, get_array(event, "stack"), 4);
  if (owner) {
    char *owner_thread = escaped(get_string(owner, "thread"));
    fprintf(out, "  Thread %lld \"%s\" of this process owns the lock; it is now at:\n",
            get_integer(owner, "tid"), owner_thread);
    stack_print(out, get_array(owner, "stack"), 4);
    free(owner_thread);
  }
  put_proof(out, event);
  fputs("  What to do: no lock that a fork handler takes may be held by a thread that waits for "
        "the one that forks.\n",
        out);
  fprintf(out,
          "%sSUMMARY: forkhound: suspect at %s: fork() of process %lld waits in a fork handler of "
          "%s%s\n==================\n",
          style->color ? "\033[1m" : "", safe_place, pid, handler, style->color ? "\033[0m" : "");
  free(exe);
  free(thread);
  free(name);
  free(handler);
  free(safe_name);
  free(place);
  free(safe_place);
}

// As one write.
static void
put_at_once(const struct style *style, const json_t *event,
            void (*put)(FILE *out, const struct style *style, const json_t *event))
{
  char *text = NULL;
  size_t size = 0;
  FILE *buffer = open_memstream(&text, &size);
  if (!buffer)
    return;
  put(buffer, style, event);
  if (!fclose(buffer))
    fwrite(text, 1, size, style->out);
  free(text);
  fflush(style->out);
}

void
render_stray(const struct style *style, const json_t *event)
{
  put_at_once(style, event, put_stray);
}

static void
put_still_waiting(FILE *out, const struct style *style, const json_t *event)
{
  (void)style;
  char *lock = lock_name(json_object_get(event, "lock")), *safe_lock = escaped(lock);
  char *exe = escaped(base_name(get_string(event, "exe")));
  fprintf(out, "forkhound: child %lld (%s) still waited when the time limit struck, for %s:\n",
          get_integer(event, "pid"), exe, safe_lock);
  stack_print_thread(out, event, "stack", 4);
  render_strings(out, "Note", get_array(event, "notes"));
  free(lock);
  free(safe_lock);
  free(exe);
}

void
render_waiting(const struct style *style, const json_t *event)
{
  put_at_once(style, event, put_still_waiting);
}

void
render_finding_again(const struct style *style, const struct fork_record *fork, const char *place)
{
  bool proven = !strcmp(get_string(fork->finding, "event"), "deadlock");
  char *safe_place = escaped(place);
  fprintf(style->out, "forkhound: %s: child %lld of %lld too, at %s, as child %lld above\n",
          proven ? "DEADLOCK" : "SUSPECT", stuck(fork), get_integer(fork->event, "pid"), safe_place,
          get_integer(fork->site->findings, place));
  free(safe_place);
  fflush(style->out);
}

void
render_diagnosis(FILE *out, const json_t *event, long long parent)
{
  bool proven = !strcmp(get_string(event, "event"), "deadlock");
  const json_t *lock = json_object_get(event, "lock"), *owner = json_object_get(event, "owner");
  long long pid = get_integer(event, "pid"), tid = get_integer(lock, "owner_tid");
  char *exe = escaped(base_name(get_string(event, "exe")));
  char *name = lock_name(lock), *safe_name = escaped(name);
  char *place = stack_place_of_thread(event), *safe_place = escaped(place);
  char *what = verdict(event, "a lock whose owner it does not have", "it does not have");
  fprintf(out, "==================\nforkhound: %s: process %lld (%s), child of %lld, %s\n",
          proven ? "DEADLOCK" : "SUSPECT", pid, exe, parent, what);
  free(what);
  fprintf(out, "  %s\n\n", safe_name);
  put_whose_stack(out, event, "process");
  stack_print_thread(out, event, "stack", 4);
  if (owner) {
    char *thread = escaped(python_thread_label(owner));
    long long of = get_integer(owner, "pid");
    fprintf(out, "  The owner is thread %lld \"%s\" of %s %lld, which is now at:\n",
            get_integer(owner, "tid"), thread,
            of == parent ? "its parent" : "a process that it descends from,", of);
    stack_print_thread(out, owner, "stack", 4);
    free(thread);
  } else if (tid) {
    fprintf(out, "  The owner, thread %lld, is not a thread of its parent %lld now.\n", tid,
            parent);
  } else {
    put_missing(out, lock);
  }
  render_strings(out, "Note", get_array(event, "notes"));
  put_proof(out, event);
  advice_put(out, get_string(event, "exe"), NULL, event);
  fprintf(out, "SUMMARY: forkhound: %s at %s: process %lld\n==================\n",
          proven ? "deadlock" : "suspect", safe_place, pid);
  free(exe);
  free(name);
  free(safe_name);
  free(place);
  free(safe_place);
}
