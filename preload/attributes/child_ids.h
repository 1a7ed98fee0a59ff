// Ids in a child that borrows memory, or is learned from. libc's functions change those of all
// threads that it knows of, which are the parent's (nptl/setxid), and write in its memory for it:
// these, which stand for them there, are the system calls themselves, which change the caller's.
#pragma once

#include <stddef.h>
#include <sys/types.h>

int own_setuid(uid_t id);
int own_setgid(gid_t id);
int own_seteuid(uid_t id);
int own_setegid(gid_t id);
int own_setreuid(uid_t real, uid_t effective);
int own_setregid(gid_t real, gid_t effective);
int own_setresuid(uid_t real, uid_t effective, uid_t saved);
int own_setresgid(gid_t real, gid_t effective, gid_t saved);
int own_setgroups(size_t count, const gid_t *groups);
int own_initgroups(const char *user, gid_t group);
