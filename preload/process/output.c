#include "output.h"

#include "output_stderr.h"
#include "os/descriptor.h"
#include "os/hot.h"
#include "os/kernel.h"
#include "output_system.h"
#include "process.h"
#include "common/text/text_buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
output_wants_color(void)
{
  enum color color = process_options()->color;

  if (color != COLOR_AUTO)
    return color == COLOR_ALWAYS;
  return output_system_is_terminal(STDERR_FILENO);
}

// A FIFO without a reader must not keep the program: ENXIO.
static long
append(const char *path, int create, const struct text *t)
{
  long fd = descriptor_open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | create);

  if (fd < 0)
    return fd;
  long error = output_system_write((int)fd, t);
  descriptor_close(fd);
  return error;
}

static void
expand_pid(const char *pattern, char *path, size_t size)
{
  size_t n = 0;

  for (; *pattern && n + 12 < size; pattern++) {
    if (pattern[0] == '%' && pattern[1] == 'p') {
      n += (size_t)snprintf(path + n, size - n, "%d", (int)getpid());
      pattern++;
    } else {
      path[n++] = *pattern;
    }
  }
  path[n] = 0;
}

IN_EACH_CHILD bool
output_wants_events(void)
{
  return process.events.value[0] || process_options()->log_path[0];
}

// Of the process and its fork children together one line is enough: children do not warn.
static void
warn(const char *what, const char *path, long error)
{
  static _Atomic bool warned;
  char bytes[1024];
  struct text warning = {.bytes = bytes, .size = sizeof bytes};

  if (process.fork_id[0] || atomic_exchange(&warned, true))
    return;
  text_add(&warning, "forkhound: cannot append to %s '", what);
  text_add_escaped(&warning, path);
  text_add(&warning, "': %s\n", kernel_error_name((int)-error));
  output_stderr(&warning);
}

// The pid of the command is in the name of its folder (cli/launch/run_directory.c).
static bool
driver_ended(void)
{
  const char *name = strstr(process.events.value, "/forkhound-");
  long pid = name ? strtol(name + 11, NULL, 10) : 0;

  return pid > 0 && output_system_gone((pid_t)pid);
}

void
output_append(const char *path, const char *what, const struct text *t)
{
  int saved = errno;
  long error = append(path, O_CREAT, t);

  if (error < 0)
    warn(what, path, error);
  errno = saved;
}

bool
output_event(const struct text *t)
{
  const char *pattern = process_options()->log_path;
  int saved = errno;
  // The command has made the file: nobody would remove one that is made after its end.
  long error = process.events.value[0] ? append(process.events.value, 0, t) : 0;

  if (error == -ENOENT && driver_ended())
    error = 0;  // the program goes on without it
  if (error < 0)
    warn("the event file", process.events.value, error);
  if (pattern[0]) {
    char path[600];
    expand_pid(pattern, path, sizeof path);
    long log_error = append(path, O_CREAT, t);
    if (log_error < 0)
      warn("log_path", path, log_error);
  }
  errno = saved;
  return error == 0;
}
