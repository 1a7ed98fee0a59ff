// Executes a program with an environment that lacks the library: leaves WAY PROGRAM [ARGUMENT...].
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const own[] = {"LD_PRELOAD=libdoes-not-matter.so.1", "A=1", NULL};

// By an instruction of the program's own: nothing of libc is called.
static long
inline_execve(const char *path, char **arguments, char **environment)
{
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(SYS_execve), "D"(path), "S"(arguments), "d"(environment)
                   : "rcx", "r11", "memory");
  return result;
}

static int
ended(pid_t child)
{
  int status = 0;

  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

int
main(int argc, char **argv)
{
  if (argc < 3)
    return 2;
  const char *way = argv[1], *path = argv[2];
  char **arguments = argv + 2, **empty = (char *[]){"LD_PRELOAD=", NULL}, **given = (char **)own,
       **none = (char *[]){NULL};
  pid_t child;

  if (!strcmp(way, "execle"))
    execle(path, path, (char *)NULL, given);
  else if (!strcmp(way, "execve"))
    execve(path, arguments, none);
  else if (!strcmp(way, "execvpe"))
    execvpe(path, arguments, empty);
  else if (!strcmp(way, "fexecve"))
    fexecve(open(path, O_RDONLY | O_CLOEXEC), arguments, given);
  else if (!strcmp(way, "execveat"))
    execveat(open(path, O_RDONLY | O_CLOEXEC), "", arguments, given, AT_EMPTY_PATH);
  else if (!strcmp(way, "syscall"))
    syscall(SYS_execve, path, arguments, given);
  else if (!strcmp(way, "posix_spawn") && !posix_spawn(&child, path, NULL, NULL, arguments, given))
    return ended(child);
  else if (!strcmp(way, "posix_spawnp") &&
           !posix_spawnp(&child, path, NULL, NULL, arguments, empty))
    return ended(child);
  setenv("LD_PRELOAD", "libdoes-not-matter.so.1", 1);
  if (!strcmp(way, "execv"))
    execv(path, arguments);
  else if (!strcmp(way, "execlp"))
    execlp(path, path, (char *)NULL);
  else if (!strcmp(way, "system") || !strcmp(way, "popen")) {
    int status;
    char command[4096];
    snprintf(command, sizeof command, "exec %s", path);
    if (!strcmp(way, "system")) {
      status = system(command);
    } else {
      FILE *pipe = popen(command, "r");
      for (int byte; (byte = getc(pipe)) != EOF;)
        putchar(byte);
      status = pclose(pipe);
    }
    // The program's own environment is as it was.
    return strcmp(getenv("LD_PRELOAD"), own[0] + 11) == 0 ? WEXITSTATUS(status) : 3;
  }
  if (!strcmp(way, "bad-address")) {
    char *volatile address = (char *)8, *bad = address;
    bool refused = execve(bad, arguments, given) < 0 && errno == EFAULT &&
                   execveat(AT_FDCWD, bad, arguments, given, 0) < 0 && errno == EFAULT &&
                   syscall(SYS_execve, bad, arguments, given) < 0 && errno == EFAULT &&
                   execve(path, arguments, (char **)bad) < 0 && errno == EFAULT;
    return refused ? 7 : 3;
  }
  unsetenv("LD_PRELOAD");
  if (!strcmp(way, "unset"))
    execv(path, arguments);
  else if (!strcmp(way, "unset-system"))
    return WEXITSTATUS(system(path));
  else if (!strcmp(way, "inline"))
    inline_execve(path, arguments, none);
  return 4;
}
