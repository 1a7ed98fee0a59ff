// Execs its other arguments under a seccomp filter, as a container has one: "allow" allows all,
// "refuse" answers ptrace() with EPERM, "kill" kills for it; "blind" answers userfaultfd() with
// EPERM.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
  unsigned int action = SECCOMP_RET_ALLOW, number = SYS_ptrace;

  if (argc < 3)
    return 2;
  if (strcmp(argv[1], "refuse") == 0)
    action = SECCOMP_RET_ERRNO | EPERM;
  else if (strcmp(argv[1], "kill") == 0)
    action = SECCOMP_RET_KILL_PROCESS;
  if (strcmp(argv[1], "blind") == 0) {
    action = SECCOMP_RET_ERRNO | EPERM;
    number = SYS_userfaultfd;
  }
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, action),
  };
  struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    return 2;
  execvp(argv[2], argv + 2);
  return 127;
}
