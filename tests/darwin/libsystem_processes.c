// fork(), exec and exit.
#include "libsystem_parts.h"

#include "fake_mach.h"
#include "image.h"

#include <errno.h>
#include <pty.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

enum { HANDLERS = 32 };
static struct {
  void (*prepare)(void), (*parent)(void), (*child)(void);
} handlers[HANDLERS];
static int handler_count;

static int
pthread_atfork_(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
  if (handler_count == HANDLERS)
    return ENOMEM;
  handlers[handler_count].prepare = prepare;
  handlers[handler_count].parent = parent;
  handlers[handler_count++].child = child;
  return 0;
}

// Frames of glibc's fork() would break the chain of frame pointers.
static pid_t
fork_(void)
{
  libsystem_expect_all_run("fork");
  for (int i = handler_count; i-- > 0;) {
    if (handlers[i].prepare)
      handlers[i].prepare();
  }
  pid_t child = (pid_t)libsystem_result(_Fork());
  if (child == 0)
    fake_mach_child();
  for (int i = 0; i < handler_count; i++) {
    void (*after)(void) = child == 0 ? handlers[i].child : handlers[i].parent;
    if (after)
      after();
  }
  return child;
}

static pid_t
forkpty_(int *master, char *name, const void *terminal, const void *size)
{
  int slave;

  if (name || terminal || size)
    die("forkpty() with a name, a terminal or a size");
  if (openpty(master, &slave, NULL, NULL, NULL) != 0)
    return (pid_t)libsystem_result(-1);
  pid_t child = fork_();
  if (child == 0)
    login_tty(slave);
  close(slave);
  return child;
}

static int
chdir_(const char *path)
{
  return (int)libsystem_result(chdir(path));
}

static int
dup2_(int from, int to)
{
  return (int)libsystem_result(dup2(from, to));
}

static pid_t
setsid_(void)
{
  return (pid_t)libsystem_result(setsid());
}

static pid_t
waitpid_(pid_t pid, int *status, int options)
{
  return (pid_t)libsystem_result(waitpid(pid, status, options));
}

static int
execve_(const char *path, char *const arguments[], char *const environment[])
{
  return (int)libsystem_result(execve(path, arguments, environment));
}

static int
execvp_(const char *file, char *const arguments[])
{
  return (int)libsystem_result(execvp(file, arguments));
}

// <spawn.h> of macOS: attributes are a pointer.
enum { DARWIN_SETEXEC = 0x40 };

static int
posix_spawnattr_init_(void **attributes)
{
  *attributes = calloc(1, sizeof(short));
  return *attributes ? 0 : libsystem_error(ENOMEM);
}

static int
posix_spawnattr_setflags_(void **attributes, short flags)
{
  *(short *)*attributes = flags;
  return 0;
}

static int
posix_spawnattr_getflags_(void *const *attributes, short *flags)
{
  *flags = *(const short *)*attributes;
  return 0;
}

static bool
is_exec(void *const *attributes)
{
  short flags = 0;

  if (attributes)
    posix_spawnattr_getflags_(attributes, &flags);
  if (flags & ~DARWIN_SETEXEC)
    die("posix_spawn() with other flags");
  return flags & DARWIN_SETEXEC;
}

// They return the error.
static int
posix_spawn_(pid_t *child, const char *path, const void *actions, void *const *attributes,
             char *const arguments[], char *const environment[])
{
  if (actions)
    die("posix_spawn() with actions");
  if (is_exec(attributes))
    return execve(path, arguments, environment) < 0 ? libsystem_error(errno) : 0;
  return libsystem_error(posix_spawn(child, path, NULL, NULL, arguments, environment));
}

static int
posix_spawnp_(pid_t *child, const char *file, const void *actions, void *const *attributes,
              char *const arguments[], char *const environment[])
{
  if (actions)
    die("posix_spawnp() with actions");
  if (is_exec(attributes))
    return execvpe(file, arguments, environment) < 0 ? libsystem_error(errno) : 0;
  return libsystem_error(posix_spawnp(child, file, NULL, NULL, arguments, environment));
}

static void
expect_balance(void)
{
  struct fake_mach_balance b = fake_mach_balance();

  if (b.rights || b.arrays || b.suspended || b.mistakes) {
    fprintf(
        stderr,
        "loader: %ld rights to ports and %ld arrays not given back, %ld threads left suspended, "
        "%ld mistakes\n",
        b.rights, b.arrays, b.suspended, b.mistakes);
    _exit(97);
  }
}

static void
exit_at_once(int status)
{
  expect_balance();
  _exit(status);
}

_Noreturn void
libsystem_exit(int status)
{
  expect_balance();
  fprintf(stderr, "loader: balanced after %ld suspensions\n", fake_mach_balance().suspends);
  exit(status);
}

static int
at_exit(void (*function)(void))
{
  return atexit(function);
}

int __cxa_atexit(void (*function)(void *), void *argument, void *image);

const struct libsystem_entry libsystem_processes[] = {
    ENTRY("___cxa_atexit", __cxa_atexit),
    ENTRY("__exit", exit_at_once),
    ENTRY("_atexit", at_exit),
    ENTRY("_chdir", chdir_),
    ENTRY("_dup2", dup2_),
    ENTRY("_execve", execve_),
    ENTRY("_execvp", execvp_),
    ENTRY("_exit", libsystem_exit),
    ENTRY("_fork", fork_),
    ENTRY("_forkpty", forkpty_),
    ENTRY("_getgid", getgid),
    ENTRY("_getpid", getpid),
    ENTRY("_getuid", getuid),
    ENTRY("_posix_spawn", posix_spawn_),
    ENTRY("_posix_spawnattr_getflags", posix_spawnattr_getflags_),
    ENTRY("_posix_spawnattr_init", posix_spawnattr_init_),
    ENTRY("_posix_spawnattr_setflags", posix_spawnattr_setflags_),
    ENTRY("_posix_spawnp", posix_spawnp_),
    ENTRY("_pthread_atfork", pthread_atfork_),
    ENTRY("_setsid", setsid_),
    ENTRY("_waitpid", waitpid_),
    {NULL, NULL},
};
