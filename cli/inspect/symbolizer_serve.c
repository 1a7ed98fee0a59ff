#include "base/blocks.h"
#include "symbolizer/debug_names.h"
#include "fork_function.h"
#include "imports.h"
#include "base/json_fields.h"
#include "base/own_process.h"
#include "registers.h"
#include "symbolizer/symbolizer_internal.h"
#include "base/message.h"
#include "symbolizer/unwind.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
  CHANNEL = 0,  // where own_process_settle() leaves the descriptor
  MOST_FILES = 1024,
  PAGE = 4096,
  PAGES = 64,
  UNWINDERS = 4,
};

// Modules with all their debug information have some GiB; they are mapped.
static const rlim_t MOST_MEMORY = (rlim_t)8 << 30;

static struct page {
  uint64_t address;
  bool kept;
  unsigned char bytes[PAGE];
} pages[PAGES];

static void
send_block(char kind, const void *bytes, size_t length)
{
  if (!block_send(CHANNEL, NULL, &kind, 1, bytes, length))
    _exit(0);
}

static void
send_json(char kind, json_t *value)
{
  char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  const char *sent = text ? text : "null";
  send_block(kind, sent, strlen(sent));
  free(text);
  json_decref(value);
}

static bool
ask_for_memory(uint64_t address, void *to, size_t length)
{
  struct read_request request = {.address = address, .length = (unsigned)length};
  size_t got;
  send_block(MESSAGE_READ, &request, sizeof request);
  char *reply = block_receive(CHANNEL, NULL, &got);
  if (!reply)
    _exit(0);
  bool read = *reply == MESSAGE_MEMORY && got == length + 1;
  if (read)
    memcpy(to, reply + 1, length);
  free(reply);
  return read;
}

static const struct page *
page_at(uint64_t address)
{
  struct page *page = &pages[address / PAGE % PAGES];
  if (!page->kept || page->address != address)
    page->kept = ask_for_memory(address, page->bytes, PAGE);
  page->address = address;
  return page->kept ? page : NULL;
}

// Of the process that the question is about.
static bool
read_process(uint64_t address, void *to, size_t length)
{
  uint64_t within = address % PAGE;
  if (length > MOST_READ)
    return false;
  if (length > PAGE - within)
    return ask_for_memory(address, to, length);
  const struct page *page = page_at(address - within);
  if (page)
    memcpy(to, page->bytes + within, length);
  return page;
}

static struct unwinder *
unwinder_of(const json_t *question)
{
  static struct {
    json_int_t serial;
    struct unwinder *unwinder;
  } kept[UNWINDERS];
  static size_t next;
  json_int_t serial = get_integer(question, "serial");
  for (size_t i = 0; i < UNWINDERS; i++)
    if (kept[i].serial == serial)
      return kept[i].unwinder;
  size_t i = next++ % UNWINDERS;
  unwinder_close(kept[i].unwinder);
  kept[i].serial = serial;
  kept[i].unwinder = unwinder_open((pid_t)get_integer(question, "pid"), read_process);
  return kept[i].unwinder;
}

static void
send_frame(json_t *frame)
{
  send_json(MESSAGE_FRAME, frame);
}

static json_t *
answer_stack(const json_t *question, const json_t *registers)
{
  uint64_t values[REG_IP + 1] = {0};
  struct unwinder *unwinder = unwinder_of(question);
  for (size_t i = 0; i <= REG_IP; i++)
    values[i] = (uint64_t)json_integer_value(json_array_get(registers, i));
  if (unwinder)
    unwind(unwinder, values, send_frame);
  return json_true();
}

static json_t *
answer_symbol(const json_t *question)
{
  struct unwinder *unwinder = unwinder_of(question);
  return unwinder ? unwinder_symbol(unwinder, (uint64_t)get_integer(question, "symbol"))
                  : json_object();
}

static json_t *
answer_fork_code(const char *path)
{
  struct fork_code code;
  return fork_code_in_file(path, &code)
             ? json_pack("[I, I]", (json_int_t)code.start, (json_int_t)code.end)
             : json_null();
}

static json_t *
answer(const json_t *question)
{
  const char *path = get_string(question, "names"), *build_id = get_string(question, "build_id");
  if (path)
    return debug_names(path, build_id ? build_id : "", get_array(question, "addresses"));
  if (get_array(question, "stack"))
    return answer_stack(question, get_array(question, "stack"));
  if (json_object_get(question, "symbol"))
    return answer_symbol(question);
  if ((path = get_string(question, "fork_code")))
    return answer_fork_code(path);
  if ((path = get_string(question, "imports")))
    return json_boolean(imports_any(path, (pid_t)get_integer(question, "pid")));
  return json_null();
}

// The memory counts from what is mapped already: a sanitizer has terabytes.
static void
limit_memory(void)
{
  unsigned long mapped = 0;
  char text[64] = "";
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
    mapped = strtoul(text, NULL, 10) * (unsigned long)sysconf(_SC_PAGESIZE);
  if (fd >= 0)
    close(fd);
  rlim_t most = mapped + MOST_MEMORY;
  struct rlimit memory = {most, most};
  setrlimit(RLIMIT_AS, &memory);
}

static void
limit_self(void)
{
  struct rlimit files, none = {0, 0};
  limit_memory();
  if (!getrlimit(RLIMIT_NOFILE, &files)) {
    files.rlim_cur = files.rlim_max < MOST_FILES ? files.rlim_max : MOST_FILES;
    files.rlim_max = files.rlim_cur;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  setrlimit(RLIMIT_CORE, &none);
  // Where memory runs out for all, this process goes first.
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    (void)!write(fd, "1000", 4);
    close(fd);
  }
}

static void
reset_signals(void)
{
  for (int number = 1; number < NSIG; number++)
    if (number != SIGKILL && number != SIGSTOP)
      signal(number, SIG_DFL);
}

void
symbolizer_serve(int fd)
{
  size_t length;
  char *block;
  on_die(NULL);
  reset_signals();
  own_process_settle("forkhound-names", fd);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int standard = 1; standard <= 2; standard++)
    if (open("/dev/null", O_RDWR | O_CLOEXEC) != standard)
      _exit(1);
  limit_self();
  unsetenv("DEBUGINFOD_URLS");
  while ((block = block_receive(CHANNEL, NULL, &length))) {
    json_t *question = *block == MESSAGE_QUESTION ? json_loads(block + 1, 0, NULL) : NULL;
    free(block);
    for (size_t i = 0; i < PAGES; i++)
      pages[i].kept = false;
    send_json(MESSAGE_ANSWER, question ? answer(question) : json_null());
    json_decref(question);
  }
  _exit(0);
}
