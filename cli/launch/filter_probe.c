#include "filter_probe.h"
#include "process/procfs.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void
try(bool learns)
{
  static const struct rlimit no_core = {0, 0};
  char from = 1, to = 0;
  struct iovec local = {&to, 1}, remote = {&from, 1};
  setrlimit(RLIMIT_CORE, &no_core);
  if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != 1 || to != 1)
    _exit(1);
  prctl(PR_SET_PTRACER, 0, 0, 0, 0);
  if (learns)
    syscall(SYS_userfaultfd, O_CLOEXEC);
  ptrace(PTRACE_TRACEME, 0, NULL, NULL);  // a refusal is an answer that the library understands
  _exit(0);
}

int
filter_probe(bool learns)
{
  int status, count = (int)procfs_status(getpid(), 0, "Seccomp_filters", 10);
  if (count <= 0)
    return 0;
  pid_t child = fork();
  if (!child)
    try(learns);
  return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? count : 0;
}
