#include "python_frames.h"

#include "os/map.h"
#include "os/descriptor.h"
#include "common/binary/elf_section.h"
#include "os/environment.h"
#include "os/seccomp.h"
#include "os/memory.h"
#include "os/nofault.h"
#include "common/cpython/fork_record.h"
#include "raw_syscall.h"
#include "threads/thread_table.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic bool found, process_known;
static struct python_process process_read;  // written once, before process_known
static uint32_t tid_offset;                 // likewise; 0: CPython keeps the tids itself
static struct python_record record;         // written in fork children only
static __thread struct python_trail trail;  // of the calling thread
static int modules_without;  // how many modules there were when none was an interpreter
static void *memory;
static size_t mapped;

static void
read_own(void *context, const uint64_t *addresses, size_t length, int count, void *to, bool *there)
{
  (void)context;
  memory_copy_many(addresses, length, count, to, there);
}

static const struct pages_source own_memory = {.read = read_own};

// In the helper task. After a fork it also makes no copies of pages, as those do that pin them.
static void
read_directly(void *context, const uint64_t *addresses, size_t length, int count, void *to,
              bool *there)
{
  (void)context;
  for (int i = 0; i < count; i++)
    there[i] =
        nofault_copy((unsigned char *)to + (size_t)i * length, length, addresses[i]) == length;
}

static const struct pages_source own_memory_directly = {.read = read_directly, .cheap = true};

// What is to be read, and what has been.
struct reading {
  struct story *story;
  struct python *python;
  const struct pages_source *source;
  uint64_t descriptor;  // pthread_self() of the thread that forks
  struct python_trail *trail;
  uint64_t place;
};

static void
fill(struct python *python, struct story_python *to, pid_t tid, struct python_frame **next)
{
  to->count = python_frames(python, tid, *next, process_options()->max_frames, &to->cut);
  to->frames = *next;
  to->name = python_thread_name(python);
  if (to->count > 0)
    *next += to->count;
}

enum rank { PROGRAM, PYTHON, ANY, RUNTIME };

// An interpreter is most often the program or a library of that name, and never one of those that
// every program may have; of them libc is needed when it is found.
static enum rank
rank(const struct modules *modules, int i)
{
  static const char *const runtime[] = {
      "libc.so",     "ld-linux",  "libm.so",    "libpthread.so", "libdl.so", "libstdc++.so",
      "libgcc_s.so", "libunwind", "liblzma.so", "libz.so",       "[vdso]",   "libforkhound.so"};
  const char *name = module_name(&modules->at[i]);

  for (size_t k = 0; k < sizeof runtime / sizeof runtime[0]; k++) {
    if (strncmp(name, runtime[k], strlen(runtime[k])) == 0)
      return RUNTIME;
  }
  return i == 0 ? PROGRAM : strstr(name, "python") ? PYTHON : ANY;
}

static void
add_modules(struct python *python, const struct modules *modules, enum rank of)
{
  for (int i = 0; i < modules->count; i++) {
    if (rank(modules, i) == of)
      python_add_module(python, modules->at[i].low);
  }
}

static void
read_file(void *context, const uint64_t *offsets, size_t length, int count, void *to, bool *there)
{
  const long *fd = context;

  for (int i = 0; i < count; i++)
    there[i] = RAW(SYS_pread64, *fd, (unsigned char *)to + (size_t)i * length, length,
                   offsets[i]) == (long)length;
}

// In the program itself, where it exports no symbols.
static bool
find_by_section(struct python *python, const struct modules *modules)
{
  long fd = guard_allows(SYS_pread64) ? descriptor_open("/proc/self/exe", O_RDONLY) : -1;

  if (fd < 0)
    return false;
  uint64_t offset =
      elf_section(&(struct pages_source){.read = read_file, .context = &fd}, PYTHON_SECTION);
  descriptor_close(fd);
  if (offset)
    python_look_at(python, modules->at[0].low + offset);
  return offset;
}

static bool
find(struct python *python, const struct modules *modules)
{
  add_modules(python, modules, PROGRAM);
  add_modules(python, modules, PYTHON);
  add_modules(python, modules, ANY);
  if (!python_look_up(python) && !find_by_section(python, modules))
    return false;
  add_modules(python, modules, RUNTIME);
  return true;
}

static void
read_all(void *argument)
{
  struct reading *reading = argument;
  struct python *python = reading->python;
  struct story *story = reading->story;
  struct python_frame *next =
      (struct python_frame *)(void *)((unsigned char *)memory + PYTHON_MEMORY);

  python_read(python, reading->source);
  if (!process_known && python_process_of(python, &process_read)) {
    if (process_read.layout.native_thread_id == PYTHON_ABSENT)
      tid_offset = python_tid_offset(python);
    process_known = true;
  }
  fill(python, &story->python, story->tid, &next);
  for (int i = 0; i < story->other_count; i++)
    fill(python, &story->others[i].python, story->others[i].tid, &next);
  reading->place = python_place_of(python, reading->descriptor, reading->trail);
  story->interpreter = python;
}

uint64_t
python_story_fill(struct story *story, struct snapshot *snapshot, void *pages)
{
  const struct modules *modules = story->modules;
  size_t most = (size_t)process_options()->max_frames * sizeof(struct python_frame);
  struct reading reading = {.story = story,
                            .source = &own_memory_directly,
                            .descriptor = (uint64_t)pthread_self(),
                            .trail = &trail};

  if (!modules || modules->count == modules_without)
    return 0;
  mapped = PYTHON_MEMORY + ((size_t)story->other_count + 1) * most;
  memory = memory_map(mapped);
  if (!memory)
    return 0;
  reading.python = python_open(memory, pages, &own_memory);
  if (!find(reading.python, modules)) {
    modules_without = modules->count;
    python_story_free();
    return 0;
  }
  found = true;
  if (!snapshot || !snapshot_run_helper(snapshot, read_all, &reading)) {
    reading.source = &own_memory;
    read_all(&reading);
  }
  return reading.place;
}

void
python_story_free(void)
{
  if (memory)
    munmap(memory, mapped);
  memory = NULL;
}

uint64_t
python_story_place(void)
{
  return process_known
             ? python_place_hash(&process_read, &own_memory, (uint64_t)pthread_self(), &trail)
             : 0;
}

// In a process with one thread a page that is there stays there.
static void
read_alone(void *context, const uint64_t *addresses, size_t length, int count, void *to,
           bool *there)
{
  uint64_t *page = context;

  for (int i = 0; i < count; i++) {
    unsigned char *bytes = (unsigned char *)to + (size_t)i * length;
    uint64_t first = addresses[i] / PAGE_BYTES, last = (addresses[i] + length - 1) / PAGE_BYTES;
    there[i] = first == *page && last == *page;
    if (there[i]) {
      memcpy(bytes, (const void *)addresses[i], length);
    } else {
      there[i] = memory_copy_alone(bytes, length, addresses[i]) == length;
      *page = there[i] ? last : 0;
    }
  }
}

// What pthread_create() did not make is the parent's first thread.
static pid_t
tid_of(uint64_t descriptor)
{
  pid_t tid = thread_left_behind((pthread_t)descriptor);

  return tid ? tid : getppid();
}

void
python_story_keep(void)
{
  uint64_t page = 0;

  if (!process_known)
    return;
  python_record(&(struct python_recording){
      .record = &record,
      .process = &process_read,
      .source = &(struct pages_source){.read = read_alone, .context = &page},
      .forking = (uint64_t)pthread_self(),
      .tid_offset = tid_offset,
      .tid_of = tid_of,
  });
  record.pid = getpid();
}

uint64_t
python_story_kept(void)
{
  return process_known ? (uint64_t)(uintptr_t)&record : 0;
}

// pytest keeps it up to date with os.environ, which is the environment of the process too.
void
python_story_test(struct story *story)
{
  if (found && !environment_get("PYTEST_CURRENT_TEST=", story->test, sizeof story->test))
    story->test[0] = 0;
}
