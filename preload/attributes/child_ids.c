#include "child_ids.h"

#include "raw_syscall.h"

#include <errno.h>
#include <grp.h>

enum { MOST_GROUPS = 1024 };

static int
result(long value)
{
  if (value >= 0)
    return (int)value;
  errno = (int)-value;
  return -1;
}

int
own_setuid(uid_t id)
{
  return result(RAW(SYS_setuid, id));
}

int
own_setgid(gid_t id)
{
  return result(RAW(SYS_setgid, id));
}

int
own_seteuid(uid_t id)
{
  return result(RAW(SYS_setresuid, -1, id, -1));
}

int
own_setegid(gid_t id)
{
  return result(RAW(SYS_setresgid, -1, id, -1));
}

int
own_setreuid(uid_t real, uid_t effective)
{
  return result(RAW(SYS_setreuid, real, effective));
}

int
own_setregid(gid_t real, gid_t effective)
{
  return result(RAW(SYS_setregid, real, effective));
}

int
own_setresuid(uid_t real, uid_t effective, uid_t saved)
{
  return result(RAW(SYS_setresuid, real, effective, saved));
}

int
own_setresgid(gid_t real, gid_t effective, gid_t saved)
{
  return result(RAW(SYS_setresgid, real, effective, saved));
}

int
own_setgroups(size_t count, const gid_t *groups)
{
  return result(RAW(SYS_setgroups, count, groups));
}

int
own_initgroups(const char *user, gid_t group)
{
  gid_t groups[MOST_GROUPS];
  int count = MOST_GROUPS;

  // More than there is room for: the first ones, as the kernel's limit would have it.
  if (getgrouplist(user, group, groups, &count) < 0)
    count = MOST_GROUPS;
  return own_setgroups((size_t)count, groups);
}
