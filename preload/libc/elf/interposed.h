// The one table of interposed symbols. X(result, symbol, parameters). A wrapper has the symbol's
// own name.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <wordexp.h>

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
  X(int, system, (const char *))                                                                   \
  X(FILE *, popen, (const char *, const char *))                                                   \
  X(int, wordexp, (const char *, wordexp_t *, int))                                                \
  X(void, _exit, (int))                                                                            \
  X(pid_t, wait, (int *))                                                                          \
  X(pid_t, waitpid, (pid_t, int *, int))                                                           \
  X(pid_t, wait3, (int *, int, struct rusage *))                                                   \
  X(pid_t, wait4, (pid_t, int *, int, struct rusage *))                                            \
  X(int, waitid, (idtype_t, id_t, siginfo_t *, int))                                               \
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

#define FH_WRAPPER(symbol) symbol
#define FH_ENVIRON environ

// Between the libraries that the loader's variable names.
#define FH_PRELOAD_SEPARATORS ": "

// A name that glibc has for _exit() too.
#define FH_EXIT_ALIASES FH_EXPORT void _Exit(int status) __attribute__((alias("_exit")));
