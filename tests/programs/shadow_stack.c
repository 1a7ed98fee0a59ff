// Usage: shadow_stack COMMAND... Runs it as on a system where threads have a shadow stack: answers
// arch_prctl(ARCH_SHSTK_STATUS) for it.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHADOW_STACK_STATUS = 0x5005 };  // arch/x86/include/uapi/asm/prctl.h

struct passed {
  struct msghdr message;
  struct iovec data;
  char byte;
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static struct msghdr *
message(struct passed *p)
{
  p->data = (struct iovec){&p->byte, 1};
  p->message = (struct msghdr){
      .msg_iov = &p->data,
      .msg_iovlen = 1,
      .msg_control = p->control,
      .msg_controllen = sizeof p->control,
  };
  return &p->message;
}

static int
send_descriptor(int to, int fd)
{
  struct passed p = {.byte = 0};
  struct cmsghdr *c = CMSG_FIRSTHDR(message(&p));

  *c = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(c), &fd, sizeof fd);
  return sendmsg(to, &p.message, 0) == 1;
}

static int
receive_descriptor(int from)
{
  struct passed p;
  int fd = -1;

  if (recvmsg(from, message(&p), 0) == 1 && CMSG_FIRSTHDR(&p.message))
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&p.message)), sizeof fd);
  return fd;
}

static int
install(void)
{
  struct sock_filter lines[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SHADOW_STACK_STATUS, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof lines / sizeof lines[0], .filter = lines};

  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return -1;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                      &program);
}

// Until nobody is under the filter any more.
static void
answer(int listener)
{
  struct pollfd ready = {listener, POLLIN, 0};

  while (poll(&ready, 1, -1) == 1 && (ready.revents & POLLIN)) {
    struct seccomp_notif asked;
    uint64_t features = 1;
    memset(&asked, 0, sizeof asked);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
      continue;
    struct iovec local = {&features, sizeof features},
                 remote = {(void *)(uintptr_t)asked.data.args[1], sizeof features};
    process_vm_writev((pid_t)asked.pid, &local, 1, &remote, 1, 0);
    struct seccomp_notif_resp done = {.id = asked.id};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &done);
  }
}

int
main(int argc, char **argv)
{
  int ends[2], status;

  if (argc < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return 2;
  pid_t child = fork();
  if (child == 0) {
    int listener = install();
    if (listener < 0 || !send_descriptor(ends[1], listener))
      _exit(2);
    close(listener);
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  close(ends[1]);
  answer(receive_descriptor(ends[0]));
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
