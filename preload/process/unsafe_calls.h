// Calls that POSIX does not allow in the child of a multithreaded fork before exec: each may wait
// for a lock that another thread held (fork(2), signal-safety(7)).
#pragma once

#include "common/text/text_buffer.h"

#include <stdbool.h>
#include <sys/types.h>

enum call_effect {
  SHARES,         // works in borrowed memory: its locks have owners there
  MAKES_REAL,     // changes what its parent goes on with
  NAMES_PROCESS,  // the same, and its first argument is a process or group: perhaps the child
                  // itself
  CHANGES_IDS,    // has a form that changes those of the child only (child_ids.h)
  OWN_FORM,  // has a form of ours: of signals (child_signals.h), of descriptors (close_calls.h)
};

// X(symbol, name in reports, effect in a borrowed child: see vfork_child.h). malloc is not among
// them: libc protects its own.
#define FH_UNSAFE_CALLS(X)                                                                         \
  X(setenv, setenv, MAKES_REAL)                                                                    \
  X(unsetenv, unsetenv, MAKES_REAL)                                                                \
  X(putenv, putenv, MAKES_REAL)                                                                    \
  X(clearenv, clearenv, MAKES_REAL)                                                                \
  X(printf, printf, MAKES_REAL)                                                                    \
  X(__printf_chk, printf, MAKES_REAL)                                                              \
  X(vprintf, vprintf, MAKES_REAL)                                                                  \
  X(__vprintf_chk, vprintf, MAKES_REAL)                                                            \
  X(fprintf, fprintf, MAKES_REAL)                                                                  \
  X(__fprintf_chk, fprintf, MAKES_REAL)                                                            \
  X(vfprintf, vfprintf, MAKES_REAL)                                                                \
  X(__vfprintf_chk, vfprintf, MAKES_REAL)                                                          \
  X(puts, puts, MAKES_REAL)                                                                        \
  X(fputs, fputs, MAKES_REAL)                                                                      \
  X(putchar, putchar, MAKES_REAL)                                                                  \
  X(putc, putc, MAKES_REAL)                                                                        \
  X(_IO_putc, putc, MAKES_REAL)                                                                    \
  X(fputc, fputc, MAKES_REAL)                                                                      \
  X(fwrite, fwrite, MAKES_REAL)                                                                    \
  X(fflush, fflush, MAKES_REAL)                                                                    \
  X(perror, perror, MAKES_REAL)                                                                    \
  X(opendir, opendir, SHARES)                                                                      \
  X(fdopendir, fdopendir, SHARES)                                                                  \
  X(readdir, readdir, SHARES)                                                                      \
  X(readdir64, readdir, SHARES)                                                                    \
  X(closedir, closedir, SHARES)                                                                    \
  X(tzset, tzset, SHARES)                                                                          \
  X(localtime, localtime, SHARES)                                                                  \
  X(localtime_r, localtime_r, SHARES)                                                              \
  X(mktime, mktime, SHARES)                                                                        \
  X(strftime, strftime, SHARES)                                                                    \
  X(ctime, ctime, SHARES)                                                                          \
  X(ctime_r, ctime_r, SHARES)                                                                      \
  X(setlocale, setlocale, MAKES_REAL)                                                              \
  X(newlocale, newlocale, SHARES)                                                                  \
  X(freelocale, freelocale, SHARES)                                                                \
  X(iconv_open, iconv_open, SHARES)                                                                \
  X(getaddrinfo, getaddrinfo, SHARES)                                                              \
  X(getnameinfo, getnameinfo, SHARES)                                                              \
  X(gethostbyname, gethostbyname, SHARES)                                                          \
  X(gethostbyname_r, gethostbyname_r, SHARES)                                                      \
  X(getpwnam, getpwnam, SHARES)                                                                    \
  X(getpwnam_r, getpwnam_r, SHARES)                                                                \
  X(getpwuid, getpwuid, SHARES)                                                                    \
  X(getpwuid_r, getpwuid_r, SHARES)                                                                \
  X(getgrnam, getgrnam, SHARES)                                                                    \
  X(getgrnam_r, getgrnam_r, SHARES)                                                                \
  X(getgrgid, getgrgid, SHARES)                                                                    \
  X(getgrgid_r, getgrgid_r, SHARES)                                                                \
  X(getgrouplist, getgrouplist, SHARES)                                                            \
  X(initgroups, initgroups, CHANGES_IDS)                                                           \
  X(openlog, openlog, MAKES_REAL)                                                                  \
  X(syslog, syslog, MAKES_REAL)                                                                    \
  X(__syslog_chk, syslog, MAKES_REAL)                                                              \
  X(vsyslog, vsyslog, MAKES_REAL)                                                                  \
  X(__vsyslog_chk, vsyslog, MAKES_REAL)                                                            \
  X(closelog, closelog, MAKES_REAL)                                                                \
  X(dlopen, dlopen, MAKES_REAL)                                                                    \
  X(dlclose, dlclose, MAKES_REAL)

// Calls that are as good in such a child as elsewhere, but must not be made in borrowed memory.
// X(symbol, effect).
#define FH_BORROWED_CALLS(X)                                                                       \
  /* Buffers and lists of stdio; the others of the family are above. */                            \
  X(fputc_unlocked, MAKES_REAL)                                                                    \
  X(putc_unlocked, MAKES_REAL)                                                                     \
  X(putchar_unlocked, MAKES_REAL)                                                                  \
  X(fputs_unlocked, MAKES_REAL)                                                                    \
  X(fwrite_unlocked, MAKES_REAL)                                                                   \
  X(fflush_unlocked, MAKES_REAL)                                                                   \
  X(__overflow, MAKES_REAL)                                                                        \
  X(fputwc, MAKES_REAL)                                                                            \
  X(putwc, MAKES_REAL)                                                                             \
  X(putwchar, MAKES_REAL)                                                                          \
  X(fputws, MAKES_REAL)                                                                            \
  X(wprintf, MAKES_REAL)                                                                           \
  X(__wprintf_chk, MAKES_REAL)                                                                     \
  X(fwprintf, MAKES_REAL)                                                                          \
  X(__fwprintf_chk, MAKES_REAL)                                                                    \
  X(vwprintf, MAKES_REAL)                                                                          \
  X(vfwprintf, MAKES_REAL)                                                                         \
  X(__vfwprintf_chk, MAKES_REAL)                                                                   \
  X(psignal, MAKES_REAL)                                                                           \
  X(error, MAKES_REAL)                                                                             \
  X(error_at_line, MAKES_REAL)                                                                     \
  X(err, MAKES_REAL)                                                                               \
  X(errx, MAKES_REAL)                                                                              \
  X(verr, MAKES_REAL)                                                                              \
  X(verrx, MAKES_REAL)                                                                             \
  X(warn, MAKES_REAL)                                                                              \
  X(warnx, MAKES_REAL)                                                                             \
  X(vwarn, MAKES_REAL)                                                                             \
  X(vwarnx, MAKES_REAL)                                                                            \
  X(__assert_fail, MAKES_REAL)                                                                     \
  X(fopen, MAKES_REAL)                                                                             \
  X(fopen64, MAKES_REAL)                                                                           \
  X(fdopen, MAKES_REAL)                                                                            \
  X(freopen, MAKES_REAL)                                                                           \
  X(freopen64, MAKES_REAL)                                                                         \
  X(fclose, MAKES_REAL)                                                                            \
  X(fcloseall, MAKES_REAL)                                                                         \
  X(setvbuf, MAKES_REAL)                                                                           \
  X(setbuf, MAKES_REAL)                                                                            \
  X(setbuffer, MAKES_REAL)                                                                         \
  X(setlinebuf, MAKES_REAL)                                                                        \
  X(fseek, MAKES_REAL)                                                                             \
  X(fseeko, MAKES_REAL)                                                                            \
  X(fseeko64, MAKES_REAL)                                                                          \
  X(rewind, MAKES_REAL)                                                                            \
  X(fsetpos, MAKES_REAL)                                                                           \
  X(ungetc, MAKES_REAL)                                                                            \
  X(__uflow, MAKES_REAL)                                                                           \
  X(__underflow, MAKES_REAL)                                                                       \
  X(fgetc, MAKES_REAL)                                                                             \
  X(getc, MAKES_REAL)                                                                              \
  X(_IO_getc, MAKES_REAL)                                                                          \
  X(getchar, MAKES_REAL)                                                                           \
  X(fgets, MAKES_REAL)                                                                             \
  X(fread, MAKES_REAL)                                                                             \
  X(getline, MAKES_REAL)                                                                           \
  X(getdelim, MAKES_REAL)                                                                          \
  X(__getdelim, MAKES_REAL)                                                                        \
  X(fscanf, MAKES_REAL)                                                                            \
  X(scanf, MAKES_REAL)                                                                             \
  X(__isoc99_fscanf, MAKES_REAL)                                                                   \
  X(__isoc99_scanf, MAKES_REAL)                                                                    \
  /* The end of the process, of the frame that called fork(), and of the thread. */                \
  X(exit, MAKES_REAL)                                                                              \
  X(quick_exit, MAKES_REAL)                                                                        \
  X(abort, MAKES_REAL)                                                                             \
  X(on_exit, MAKES_REAL)                                                                           \
  X(__cxa_atexit, MAKES_REAL)                                                                      \
  X(__cxa_at_quick_exit, MAKES_REAL)                                                               \
  X(longjmp, MAKES_REAL)                                                                           \
  X(_longjmp, MAKES_REAL)                                                                          \
  X(siglongjmp, MAKES_REAL)                                                                        \
  X(__longjmp_chk, MAKES_REAL)                                                                     \
  X(setcontext, MAKES_REAL)                                                                        \
  X(swapcontext, MAKES_REAL)                                                                       \
  X(__cxa_throw, MAKES_REAL)                                                                       \
  X(__cxa_rethrow, MAKES_REAL)                                                                     \
  X(pthread_exit, MAKES_REAL)                                                                      \
  /* Processes, and what the kernel denies to one that shares memory (unshare, setns). */          \
  X(vfork, MAKES_REAL)                                                                             \
  X(pclose, MAKES_REAL)                                                                            \
  X(raise, MAKES_REAL)                                                                             \
  X(kill, NAMES_PROCESS)                                                                           \
  X(killpg, NAMES_PROCESS)                                                                         \
  X(sigqueue, NAMES_PROCESS)                                                                       \
  X(ptrace, MAKES_REAL)                                                                            \
  X(unshare, MAKES_REAL)                                                                           \
  X(setns, MAKES_REAL)                                                                             \
  X(timer_create, MAKES_REAL)                                                                      \
  /* Threads of the parent, and locks that it uses. */                                             \
  X(pthread_key_create, MAKES_REAL)                                                                \
  X(pthread_key_delete, MAKES_REAL)                                                                \
  X(pthread_mutex_init, MAKES_REAL)                                                                \
  X(pthread_mutex_destroy, MAKES_REAL)                                                             \
  X(pthread_cond_init, MAKES_REAL)                                                                 \
  X(pthread_cond_destroy, MAKES_REAL)                                                              \
  X(pthread_rwlock_init, MAKES_REAL)                                                               \
  X(pthread_rwlock_destroy, MAKES_REAL)                                                            \
  X(pthread_barrier_init, MAKES_REAL)                                                              \
  X(pthread_barrier_destroy, MAKES_REAL)                                                           \
  X(sem_init, MAKES_REAL)                                                                          \
  X(sem_destroy, MAKES_REAL)                                                                       \
  X(pthread_join, MAKES_REAL)                                                                      \
  X(pthread_detach, MAKES_REAL)                                                                    \
  X(pthread_cancel, MAKES_REAL)                                                                    \
  X(pthread_kill, MAKES_REAL)                                                                      \
  X(pthread_setaffinity_np, MAKES_REAL)                                                            \
  X(pthread_setschedparam, MAKES_REAL)                                                             \
  X(pthread_setschedprio, MAKES_REAL)                                                              \
  /* Memory that is locked or attached is the parent's too. */                                     \
  X(mlock, MAKES_REAL)                                                                             \
  X(mlock2, MAKES_REAL)                                                                            \
  X(munlock, MAKES_REAL)                                                                           \
  X(mlockall, MAKES_REAL)                                                                          \
  X(munlockall, MAKES_REAL)                                                                        \
  X(shmat, MAKES_REAL)                                                                             \
  X(shmdt, MAKES_REAL)                                                                             \
  /* Dispositions of signals that sigaction() and signal() do not set. */                          \
  X(sigset, MAKES_REAL)                                                                            \
  X(sigignore, MAKES_REAL)                                                                         \
  X(siginterrupt, MAKES_REAL)                                                                      \
  X(bsd_signal, MAKES_REAL)                                                                        \
  X(sysv_signal, MAKES_REAL)                                                                       \
  X(__sysv_signal, MAKES_REAL)                                                                     \
  /* A wait may be for the parent, which waits for the child. */                                   \
  X(sleep, MAKES_REAL)                                                                             \
  X(usleep, MAKES_REAL)                                                                            \
  X(nanosleep, MAKES_REAL)                                                                         \
  X(clock_nanosleep, MAKES_REAL)                                                                   \
  X(pause, MAKES_REAL)                                                                             \
  X(sigsuspend, MAKES_REAL)                                                                        \
  X(sigwait, MAKES_REAL)                                                                           \
  X(sigwaitinfo, MAKES_REAL)                                                                       \
  X(sigtimedwait, MAKES_REAL)                                                                      \
  X(poll, MAKES_REAL)                                                                              \
  X(ppoll, MAKES_REAL)                                                                             \
  X(select, MAKES_REAL)                                                                            \
  X(pselect, MAKES_REAL)                                                                           \
  X(epoll_wait, MAKES_REAL)                                                                        \
  X(sem_wait, MAKES_REAL)                                                                          \
  X(sem_timedwait, MAKES_REAL)                                                                     \
  X(pthread_cond_wait, MAKES_REAL)                                                                 \
  X(pthread_cond_timedwait, MAKES_REAL)                                                            \
  X(pthread_barrier_wait, MAKES_REAL)                                                              \
  /* libc's own would change the ids of the parent's threads, and write what it knows of them. */  \
  X(setuid, CHANGES_IDS)                                                                           \
  X(setgid, CHANGES_IDS)                                                                           \
  X(seteuid, CHANGES_IDS)                                                                          \
  X(setegid, CHANGES_IDS)                                                                          \
  X(setreuid, CHANGES_IDS)                                                                         \
  X(setregid, CHANGES_IDS)                                                                         \
  X(setresuid, CHANGES_IDS)                                                                        \
  X(setresgid, CHANGES_IDS)                                                                        \
  X(setgroups, CHANGES_IDS)

// Calls that are as good in any child, but need a form of ours in one that borrows memory, or is
// learned from. They are so frequent that they cost least: no child is noted to have called them.
#define FH_OWN_CALLS(X)                                                                            \
  X(close, OWN_FORM)                                                                               \
  X(__close, OWN_FORM)                                                                             \
  X(close_range, OWN_FORM)                                                                         \
  X(closefrom, OWN_FORM)                                                                           \
  X(sigaction, OWN_FORM)                                                                           \
  X(signal, OWN_FORM)

// Finds the real functions: at the first pthread_create(), because dlsym() may hang in the child.
void unsafe_calls_resolve(void);

// From now on calls of a borrowed child have their effect.
void unsafe_calls_borrow(void);

// In a fork child: it is learned from, or no more. As in a borrowed one the forms of ours are
// called.
void unsafe_calls_learn(bool learns);

// In the child of a multithreaded fork: calls are noted from here on. Async-signal-safe, as is the
// noting.
void unsafe_calls_watch(void);

// pthread_create() has a wrapper of its own, which tells of its calls in a child here.
void unsafe_calls_thread(void);

// Of a child that is learned from, which does not answer for the fork handlers that ran in it: of
// those called the first that a child with borrowed memory must not call, or NULL: they change what
// its parent goes on with.
const char *unsafe_calls_borrowed(void);

// The names of those that it called, with commas between them.
void unsafe_calls_list(struct text *t);

// Whether this child has called one that takes locks, as it has noted in its copy of our memory.
bool unsafe_calls_any(pid_t child);

// The names of those called, as a JSON array; nothing if there were none.
void unsafe_calls_add(struct text *t, const char *key);
