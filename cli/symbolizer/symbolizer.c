#include "symbolizer.h"
#include "base/blocks.h"
#include "base/clock.h"
#include "base/own_process.h"
#include "process/procfs.h"
#include "symbolizer_internal.h"
#include "base/message.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  TRIES = 2,          // of a question at which it ended
  MOST_TIMEOUTS = 8,  // then it is not asked any more
  FEW_TIMEOUTS = 2,   // then it has less time
};

static const long long PATIENCE_NS = 5000000000, LITTLE_NS = 1000000000;

static struct {
  pid_t pid;  // 0: there is none
  int fd, timeouts;
  long long limit_ns;
  bool told, at_exit;
} it;

// Returns its status, as waitpid() has it.
static int
end(void)
{
  close(it.fd);
  kill(it.pid, SIGKILL);
  int status = own_process_wait(it.pid);
  it.pid = 0;
  return status;
}

// Otherwise it would be left to others to reap it.
static void
end_at_exit(void)
{
  if (it.pid)
    end();
}

static bool
begin(void)
{
  int ends[2];
  if (it.pid)
    return true;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
    return false;
  it.pid = own_process_fork();
  if (!it.pid)
    symbolizer_serve(ends[1]);
  close(ends[1]);
  if (it.pid < 0) {
    close(ends[0]);
    it.pid = 0;
    return false;
  }
  it.fd = ends[0];
  if (!it.at_exit)
    it.at_exit = !atexit(end_at_exit);
  return true;
}

void
symbolizer_limit(long long at_ns)
{
  it.limit_ns = at_ns;
}

static struct patience
patience_now(void)
{
  long long now = clock_ns(CLOCK_MONOTONIC);
  long long at = now + (it.timeouts > FEW_TIMEOUTS ? LITTLE_NS : PATIENCE_NS);
  if (it.limit_ns && it.limit_ns < at)
    at = it.limit_ns > now + LITTLE_NS ? it.limit_ns : now + LITTLE_NS;
  return (struct patience){.deadline_ns = at};
}

// Puts what was copied in the place of what is there now.
static void
lay_over(const struct symbolizer_memory *memory, const struct read_request *request, char *bytes)
{
  uint64_t from = request->address, to = from + request->length;
  uint64_t first = from > memory->copied_at ? from : memory->copied_at;
  uint64_t copy_end = memory->copied_at + memory->copied;
  uint64_t last = to < copy_end ? to : copy_end;
  if (first < last)
    memcpy(bytes + (first - from), (const char *)memory->copy + (first - memory->copied_at),
           last - first);
}

static bool
send_memory(const struct symbolizer_memory *memory, const char *message, size_t length,
            struct patience *patience)
{
  static const char kind = MESSAGE_MEMORY;
  static char bytes[MOST_READ];
  struct read_request request;
  if (length != sizeof request)
    return false;
  memcpy(&request, message, sizeof request);
  bool read = memory && request.length <= MOST_READ &&
              request.address <= UINT64_MAX - request.length &&
              procfs_memory(memory->pid, request.address, bytes, request.length);
  if (read)
    lay_over(memory, &request, bytes);
  return block_send(it.fd, patience, &kind, 1, bytes, read ? request.length : 0);
}

// NULL: it does not answer.
static json_t *
ask_once(const char *question, const struct symbolizer_memory *memory, json_t *frames,
         struct patience *patience)
{
  static const char kind = MESSAGE_QUESTION;
  json_t *answer = NULL;
  bool goes_on = block_send(it.fd, patience, &kind, 1, question, strlen(question));
  while (goes_on && !answer) {
    size_t length;
    char *message = block_receive(it.fd, patience, &length);
    goes_on = message && length;
    if (goes_on && *message == MESSAGE_READ)
      goes_on = send_memory(memory, message + 1, length - 1, patience);
    else if (goes_on && *message == MESSAGE_FRAME && frames)
      goes_on = !json_array_append_new(frames, json_loads(message + 1, 0, NULL));
    else if (goes_on)
      goes_on = (answer = json_loads(message + 1, JSON_DECODE_ANY, NULL)) != NULL;
    free(message);
  }
  return answer;
}

static void
tell(bool timeout, int status)
{
  static const char what[] = "the process that reads the programs' files";
  if (it.told)
    return;
  it.told = true;
  if (timeout)
    message("%s took too long and was ended: names may be missing", what);
  else if (WIFSIGNALED(status))
    message("%s was ended by signal %d: names may be missing", what, WTERMSIG(status));
  else
    message("%s ended: names may be missing", what);
}

// Whether it has cost too much time; after the limit once is too often.
static bool
is_given_up(void)
{
  bool late = it.limit_ns && clock_ns(CLOCK_MONOTONIC) >= it.limit_ns;
  return it.timeouts >= (late ? 1 : MOST_TIMEOUTS);
}

json_t *
symbolizer_ask(json_t *question, const struct symbolizer_memory *memory, json_t *frames)
{
  char *text = json_dumps(question, JSON_COMPACT);
  json_t *answer = NULL;
  json_decref(question);
  for (int i = 0; text && i < TRIES && !is_given_up() && !answer && begin(); i++) {
    struct patience patience = patience_now();
    json_array_clear(frames);
    answer = ask_once(text, memory, frames, &patience);
    if (answer)
      break;
    tell(patience.ended, end());
    it.timeouts += patience.ended;
    if (patience.ended)
      break;
  }
  free(text);
  return answer;
}
