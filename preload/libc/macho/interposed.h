// The one table of interposed symbols. X(result, symbol, parameters). A wrapper has a name of its
// own, and dyld puts it in the place of the symbol in every other image: see real_calls.c.
// Not vfork(): its child has the memory and the threads of its parent until it execs, and no
// wrapper could return twice.
#pragma once

#include <crt_externs.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>
#include <unistd.h>

// <util.h> is not in every set of headers.
int forkpty(int *, char *, const struct termios *, const struct winsize *);

#define FH_INTERPOSED(X)                                                                           \
  X(pid_t, fork, (void))                                                                           \
  X(int, forkpty, (int *, char *, const struct termios *, const struct winsize *))                 \
  X(int, daemon, (int, int))                                                                       \
  X(int, pthread_create, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))         \
  X(int, pthread_atfork, (void (*)(void), void (*)(void), void (*)(void)))                         \
  X(int, execve, (const char *, char *const[], char *const[]))                                     \
  X(int, execv, (const char *, char *const[]))                                                     \
  X(int, execvp, (const char *, char *const[]))                                                    \
  X(int, execl, (const char *, const char *, ...))                                                 \
  X(int, execlp, (const char *, const char *, ...))                                                \
  X(int, execle, (const char *, const char *, ...))                                                \
  X(int, posix_spawn,                                                                              \
    (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,         \
     char *const[], char *const[]))                                                                \
  X(int, posix_spawnp,                                                                             \
    (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,         \
     char *const[], char *const[]))                                                                \
  X(void, exit, (int))                                                                             \
  X(void, _exit, (int))

#define FH_WRAPPER(symbol) forkhound_##symbol
#define FH_EXIT_ALIASES
#define FH_ENVIRON (*_NSGetEnviron())

// Between the libraries that the loader's variable names.
#define FH_PRELOAD_SEPARATORS ":"
