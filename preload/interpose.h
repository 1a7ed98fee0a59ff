// The one table of interposed symbols, and the way from a wrapper to the function it stands for.
// X(result, symbol, parameters). A wrapper has the symbol's own name and FH_EXPORT.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/ioctl.h>
#include <termios.h>

#define FH_INTERPOSED(X)                                                                           \
  X(pid_t, fork, (void))                                                                           \
  X(pid_t, _Fork, (void))                                                                          \
  X(int, forkpty, (int *, char *, const struct termios *, const struct winsize *))                 \
  X(int, daemon, (int, int))                                                                       \
  X(int, clone, (int (*)(void *), void *, int, void *, ...))                                       \
  X(int, pthread_create, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))         \
  X(int, pthread_setname_np, (pthread_t, const char *))                                            \
  X(int, __register_atfork, (void (*)(void), void (*)(void), void (*)(void), void *))              \
  X(int, execve, (const char *, char *const[], char *const[]))                                     \
  X(int, execvpe, (const char *, char *const[], char *const[]))                                    \
  X(int, fexecve, (int, char *const[], char *const[]))                                             \
  X(int, execveat, (int, const char *, char *const[], char *const[], int))                         \
  X(int, posix_spawn,                                                                              \
    (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,         \
     char *const[], char *const[]))                                                                \
  X(int, posix_spawnp,                                                                             \
    (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,         \
     char *const[], char *const[]))                                                                \
  X(void, _exit, (int))                                                                            \
  X(int, sigaction, (int, const struct sigaction *, struct sigaction *))                           \
  X(sighandler_t, signal, (int, sighandler_t))                                                     \
  X(int, close, (int))                                                                             \
  X(int, close_range, (unsigned int, unsigned int, int))                                           \
  X(void, closefrom, (int))                                                                        \
  X(int, sigprocmask, (int, const sigset_t *, sigset_t *))                                         \
  X(int, mincore, (void *, size_t, unsigned char *))                                               \
  X(int, pipe2, (int[2], int))                                                                     \
  X(int, prctl, (int, ...))                                                                        \
  X(long, syscall, (long, ...))

#define FH_EXPORT __attribute__((visibility("default")))

#define FH_REAL_MEMBER(result, symbol, parameters) result(*symbol) parameters;
struct fh_real {
  FH_INTERPOSED(FH_REAL_MEMBER)
};
#undef FH_REAL_MEMBER

// The next definition of each symbol in the program's search order. Call fh_real_resolve() before
// the first use of a member; it is idempotent, cheap after the first call, and pthread_create() has
// called it before any fork of a multithreaded process: dlsym() may hang in the child of one.
extern struct fh_real fh_real;
void fh_real_resolve(void);
