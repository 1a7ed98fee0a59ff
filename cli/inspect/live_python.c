#include "live_python.h"
#include "common/binary/elf_section.h"
#include "base/json_fields.h"
#include "process/procfs.h"
#include "common/cpython/fork_record.h"
#include "base/message.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FRAMES = 256 };

struct live_python {
  pid_t pid;
  struct python *reader;
  void *memory;
  uint64_t program;              // where its file is mapped
  struct python_record *record;  // what comes before the memory as it is now, or NULL
};

static void
read_memory(void *context, const uint64_t *addresses, size_t length, int count, void *to,
            bool *there)
{
  const struct live_python *live = context;
  for (int i = 0; i < count; i++) {
    unsigned char *bytes = (unsigned char *)to + (size_t)i * length;
    there[i] = procfs_memory(live->pid, addresses[i], bytes, length);
    if (!there[i])
      memset(bytes, 0, length);
    if (live->record && python_record_patch(live->record, addresses[i], bytes, length))
      there[i] = true;
  }
}

// Where files are mapped from their start: there their ELF headers are.
static void
add_modules(struct live_python *live)
{
  char *text = procfs_read(live->pid, 0, "maps");
  for (const char *line = text; line && *line;) {
    unsigned long start, offset;
    char permissions[5], path[2];
    if (sscanf(line, "%lx-%*x %4s %lx %*s %*u %1[/]", &start, permissions, &offset, path) == 4 &&
        offset == 0 && permissions[0] == 'r') {
      python_add_module(live->reader, start);
      if (!live->program)
        live->program = start;
    }
    line = strchr(line, '\n');
    line += line != NULL;
  }
  free(text);
}

static void
read_file(void *context, const uint64_t *offsets, size_t length, int count, void *to, bool *there)
{
  const int *fd = context;
  for (int i = 0; i < count; i++)
    there[i] = pread(*fd, (unsigned char *)to + (size_t)i * length, length, (off_t)offsets[i]) ==
               (ssize_t)length;
}

// In the program itself, where it exports no symbols.
static bool
find_by_section(struct live_python *live)
{
  int fd = procfs_open(live->pid, 0, "exe");
  if (fd < 0)
    return false;
  struct pages_source file = {.read = read_file, .context = &fd};
  uint64_t offset = elf_section(&file, PYTHON_SECTION);
  close(fd);
  if (offset)
    python_look_at(live->reader, live->program + offset);
  return offset;
}

static struct live_python *
open_with(pid_t pid, struct python_record *record)
{
  struct live_python *live = xrealloc(NULL, sizeof *live);
  *live = (struct live_python){
      .pid = pid, .memory = calloc(1, PYTHON_MEMORY + PAGES_MEMORY), .record = record};
  if (!live->memory) {
    live_python_close(live);
    return NULL;
  }
  struct pages_source source = {.read = read_memory, .context = live};
  live->reader = python_open(live->memory, (char *)live->memory + PYTHON_MEMORY, &source);
  add_modules(live);
  if (!python_look_up(live->reader) && !find_by_section(live)) {
    live_python_close(live);
    return NULL;
  }
  python_read(live->reader, &source);
  return live;
}

struct live_python *
live_python_open(pid_t pid)
{
  return open_with(pid, NULL);
}

// A child of the child, which may be the one that is stuck, has got the same.
static bool
read_record(pid_t child, const json_t *fork_event, struct python_record *record)
{
  const char *text = get_string(fork_event, "python_evidence");
  uint64_t address = text ? strtoull(text, NULL, 16) : 0;
  long long forked = get_integer(fork_event, "child");
  return address && procfs_memory(child, address, record, offsetof(struct python_record, pieces)) &&
         record->pid && (!forked || record->pid == forked) &&
         record->used <= sizeof record->pieces &&
         procfs_memory(child, address + offsetof(struct python_record, pieces), record->pieces,
                       record->used);
}

struct live_python *
live_python_open_then(pid_t child, const json_t *fork_event)
{
  struct python_record *record = xrealloc(NULL, sizeof *record);
  if (read_record(child, fork_event, record))
    return open_with(child, record);
  free(record);
  return NULL;
}

void
live_python_close(struct live_python *live)
{
  if (!live)
    return;
  free(live->memory);
  free(live->record);
  free(live);
}

// File names need not be UTF-8, JSON must be.
static json_t *
string_of(const char *text)
{
  json_t *string = json_string(text);
  if (string)
    return string;
  char *safe = escaped(text);
  string = json_string(safe);
  free(safe);
  return string;
}

// Where the evaluation function is, also where no symbol says so.
static void
mark_evaluation(const struct python *reader, json_t *stack)
{
  size_t i;
  json_t *frame;
  json_array_foreach(stack, i, frame)
  {
    const char *pc = get_string(frame, "pc");
    if (pc && python_is_evaluation(reader, strtoull(pc, NULL, 16)))
      json_object_set_new(frame, "evaluates", json_true());
  }
}

void
live_python_add(struct live_python *live, pid_t tid, json_t *to)
{
  static struct python_frame frames[MOST_FRAMES];
  bool cut;
  if (!live)
    return;
  pid_t own = procfs_own_tid(live->pid, tid);  // CPython knows it by that
  int count = python_frames(live->reader, own ? own : tid, frames, MOST_FRAMES, &cut);
  const char *version = python_version(live->reader), *note = python_note(live->reader);
  if (*version)
    json_object_set_new(to, "python_version", json_string(version));
  if (note)
    json_object_set_new(to, "notes", json_pack("[s]", note));
  const char *name = python_thread_name(live->reader);
  if (name)
    json_object_set_new(to, "python_name", string_of(name));
  if (count == PYTHON_UNREADABLE)
    json_object_set_new(to, "python_unreadable", json_true());
  if (count < 0)
    return;
  mark_evaluation(live->reader, json_object_get(to, "stack"));
  json_t *list = json_array();
  for (int i = 0; i < count; i++) {
    json_t *frame = json_pack("{s:o}", "file", string_of(frames[i].file));
    if (frames[i].line)
      json_object_set_new(frame, "line", json_integer(frames[i].line));
    json_object_set_new(frame, "function", string_of(frames[i].function));
    if (frames[i].entry)
      json_object_set_new(frame, "entry", json_true());
    json_array_append_new(list, frame);
  }
  json_object_set_new(to, "python", list);
  if (cut)
    json_object_set_new(to, "python_cut", json_true());
}

struct live_python_lock
live_python_lock(struct live_python *live, const struct task_wait *task)
{
  enum { SEARCHED = 4096, WORDS = SEARCHED / sizeof(uint64_t) };
  uint64_t words[WORDS] = {0};
  struct python_frame frame;
  struct python_lock lock = {0};
  bool cut, known = python_frames(live->reader, task->tid, &frame, 1, &cut) >= 0;
  int threads = python_thread_count(live->reader);
  if (procfs_memory(live->pid, task->sp & ~7ull, words, sizeof words))
    lock = python_lock_among(live->reader, words, WORDS, task->address);
  return (struct live_python_lock){
      .type = lock.type,
      .owner_gone = lock.owner && threads && !python_has_thread(live->reader, lock.owner),
      .alone = known && threads == 1,
      .elsewhere = threads != 1 && (!lock.object || python_others_have(live->reader, task->tid,
                                                                       lock.object, words, WORDS)),
  };
}

void
live_python_add_then(struct live_python *live, pid_t tid, bool has_python, json_t *to)
{
  live_python_add(live, tid, to);
  bool found = json_object_get(to, "python") || json_object_get(to, "python_unreadable");
  if (live ? live->record->cut && !found : has_python)
    json_object_set_new(to, "python_unread", json_true());
}
