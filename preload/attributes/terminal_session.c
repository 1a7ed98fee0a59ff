#include "terminal_session.h"

#include "raw_syscall.h"

#include <asm/ioctls.h>
#include <errno.h>

enum { DESCRIPTORS = 64 };

void
terminal_session_read(struct terminal_session *session)
{
  pid_t self = (pid_t)RAW(SYS_getpid), group = 0, leader = 0;

  *session = (struct terminal_session){
      .leads_session = (pid_t)RAW(SYS_getsid, 0) == self,
      .leads_group = (pid_t)RAW(SYS_getpgid, 0) == self,
      .terminal = -1,
      .foreground_terminal = -1,
  };
  if (!session->leads_group)
    return;
  for (int fd = 0; fd < DESCRIPTORS; fd++) {
    // Both fail but for the controlling terminal of the caller's session (tty_ioctl(4)).
    if (RAW(SYS_ioctl, fd, TIOCGSID, &leader) != 0 || RAW(SYS_ioctl, fd, TIOCGPGRP, &group) != 0)
      continue;
    if (session->leads_session)
      session->terminal = fd;
    if (group == self)
      session->foreground_terminal = fd;
    session->foreground = group == self;
    return;
  }
}

void
terminal_session_lead(const struct terminal_session *session)
{
  if (session->leads_session)
    RAW(SYS_setsid);
  else if (session->leads_group)
    RAW(SYS_setpgid, 0, 0);
}

bool
terminal_session_led(const struct terminal_session *session, pid_t copy)
{
  long leader = session->leads_session ? RAW(SYS_getsid, copy)
                : session->leads_group ? RAW(SYS_getpgid, copy)
                                       : copy;

  return leader == copy || leader == -ESRCH;
}

void
terminal_session_drop(const struct terminal_session *session)
{
  if (session->terminal >= 0)
    RAW(SYS_ioctl, session->terminal, TIOCNOTTY);
}

void
terminal_session_take(const struct terminal_session *session)
{
  pid_t self = (pid_t)RAW(SYS_getpid);

  if (session->terminal >= 0)
    RAW(SYS_ioctl, session->terminal, TIOCSCTTY, 0);
  if (session->foreground)
    RAW(SYS_ioctl, session->foreground_terminal, TIOCSPGRP, &self);
}
