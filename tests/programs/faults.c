// A child of a process with two threads ends by SIGSEGV, another by abort(), a third after exec.
// usage: faults HOW   wait, waitpid, wait3, wait4, waitid, or null: waitpid() without a status
#include "idle.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *how;

static int
reap(pid_t child)
{
  struct rusage usage;
  siginfo_t info;
  int status = -1;

  if (strcmp(how, "wait") == 0)
    return wait(&status) == child ? status : -1;
  if (strcmp(how, "wait3") == 0)
    return wait3(&status, 0, &usage) == child ? status : -1;
  if (strcmp(how, "wait4") == 0)
    return wait4(child, &status, 0, &usage) == child ? status : -1;
  if (strcmp(how, "waitid") == 0)
    return waitid(P_PID, (id_t)child, &info, WEXITED) == 0 ? info.si_status : -1;
  if (strcmp(how, "null") == 0)
    return waitpid(child, NULL, 0) == child ? 0 : -1;
  return waitpid(child, &status, 0) == child ? status : -1;
}

__attribute__((noinline)) static int
fault_place(int number)
{
  pid_t child = fork();
  if (child == 0) {
    if (number == 2)
      execl("/bin/sh", "sh", "-c", "kill -SEGV $$", (char *)NULL);
    signal(number ? SIGABRT : SIGSEGV, SIG_DFL);
    raise(number ? SIGABRT : SIGSEGV);
    _exit(1);
  }
  return reap(child);
}

int
main(int argc, char **argv)
{
  pthread_t thread;
  how = argc > 1 ? argv[1] : "waitpid";
  pthread_barrier_init(&started, NULL, 2);
  pthread_create(&thread, NULL, idle, NULL);
  pthread_barrier_wait(&started);
  for (int i = 0; i < 3; i++) {
    int status = fault_place(i);
    if (status < 0 || (strcmp(how, "null") != 0 && (status & 0x7f) != (i == 1 ? SIGABRT : SIGSEGV)))
      return 1;
  }
  return 0;
}
