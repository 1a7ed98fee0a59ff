// Calls that POSIX does not allow in the child of a multithreaded fork before exec: each may wait
// for a lock that another thread held (fork(2), signal-safety(7)).
#pragma once

#include "text_buffer.h"

// X(symbol, name in reports). malloc is not among them: libc protects its own.
#define FH_UNSAFE_CALLS(X)                                                                         \
  X(setenv, setenv)                                                                                \
  X(unsetenv, unsetenv)                                                                            \
  X(putenv, putenv)                                                                                \
  X(clearenv, clearenv)                                                                            \
  X(printf, printf)                                                                                \
  X(__printf_chk, printf)                                                                          \
  X(vprintf, vprintf)                                                                              \
  X(__vprintf_chk, vprintf)                                                                        \
  X(fprintf, fprintf)                                                                              \
  X(__fprintf_chk, fprintf)                                                                        \
  X(vfprintf, vfprintf)                                                                            \
  X(__vfprintf_chk, vfprintf)                                                                      \
  X(puts, puts)                                                                                    \
  X(fputs, fputs)                                                                                  \
  X(putchar, putchar)                                                                              \
  X(putc, putc)                                                                                    \
  X(_IO_putc, putc)                                                                                \
  X(fputc, fputc)                                                                                  \
  X(fwrite, fwrite)                                                                                \
  X(fflush, fflush)                                                                                \
  X(perror, perror)                                                                                \
  X(opendir, opendir)                                                                              \
  X(fdopendir, fdopendir)                                                                          \
  X(readdir, readdir)                                                                              \
  X(readdir64, readdir)                                                                            \
  X(closedir, closedir)                                                                            \
  X(tzset, tzset)                                                                                  \
  X(localtime, localtime)                                                                          \
  X(localtime_r, localtime_r)                                                                      \
  X(mktime, mktime)                                                                                \
  X(strftime, strftime)                                                                            \
  X(ctime, ctime)                                                                                  \
  X(ctime_r, ctime_r)                                                                              \
  X(setlocale, setlocale)                                                                          \
  X(newlocale, newlocale)                                                                          \
  X(freelocale, freelocale)                                                                        \
  X(iconv_open, iconv_open)                                                                        \
  X(getaddrinfo, getaddrinfo)                                                                      \
  X(getnameinfo, getnameinfo)                                                                      \
  X(gethostbyname, gethostbyname)                                                                  \
  X(gethostbyname_r, gethostbyname_r)                                                              \
  X(getpwnam, getpwnam)                                                                            \
  X(getpwnam_r, getpwnam_r)                                                                        \
  X(getpwuid, getpwuid)                                                                            \
  X(getpwuid_r, getpwuid_r)                                                                        \
  X(getgrnam, getgrnam)                                                                            \
  X(getgrnam_r, getgrnam_r)                                                                        \
  X(getgrgid, getgrgid)                                                                            \
  X(getgrgid_r, getgrgid_r)                                                                        \
  X(getgrouplist, getgrouplist)                                                                    \
  X(initgroups, initgroups)                                                                        \
  X(openlog, openlog)                                                                              \
  X(syslog, syslog)                                                                                \
  X(__syslog_chk, syslog)                                                                          \
  X(vsyslog, vsyslog)                                                                              \
  X(__vsyslog_chk, vsyslog)                                                                        \
  X(closelog, closelog)                                                                            \
  X(dlopen, dlopen)                                                                                \
  X(dlclose, dlclose)

// Finds the real functions: at the first pthread_create(), because dlsym() may hang in the child.
void unsafe_calls_resolve(void);

// In the child of a multithreaded fork: calls are noted from here on. Async-signal-safe, as is the
// noting.
void unsafe_calls_watch(void);

// pthread_create() has a wrapper of its own, which tells of its calls in a child here.
void unsafe_calls_thread(void);

// The first of those called that a child with borrowed memory must not call, or NULL: they change
// what its parent goes on with.
const char *unsafe_calls_borrowed(void);

// The names of those called, with commas between them.
void unsafe_calls_list(struct text *t);

// The names of those called, as a JSON array; nothing if there were none.
void unsafe_calls_add(struct text *t, const char *key);
