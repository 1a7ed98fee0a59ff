// The outcome of a child: exec and exit. exec.c has the wrappers that all systems have in common,
// a file for each system the others, which are made of the same steps.
#pragma once

#include "process/exec_target.h"

#include <alloca.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>

// Has exit() report the end of a child. Before the first thread is made: in a child, libc's list of
// exit functions may be locked for ever.
void exec_start(void);

// Before an exec of `path`, NULL for a descriptor: tells of it. And after one that failed: the
// child runs on; returns `result`.
enum target exec_before(const char *path);
// The same for a descriptor (`path` NULL) that is open as `file`, in /proc.
enum target exec_before_file(const char *path, const char *file);
int exec_after(const char *path, int result);

// Tells of a program, or a file, that the library is not in, if anyone wants to know.
void exec_tell_blind(const char *path, const char *why);

// What execvp() would find: the first executable in PATH. False where there is none.
bool exec_find(const char *name, char *path, size_t size);

// execvp() with this environment, as the system has it.
int exec_search(const char *file, char *const arguments[], char *const environment[]);

// Whether posix_spawn() with these attributes is an exec of the caller.
bool exec_by_spawn(const posix_spawnattr_t *attributes);

// Before the process ends by exit() or _exit().
void exec_before_exit(int status);

// The environment for the exec: as given, or a copy on the caller's stack with our variables back.
// No allocation: the caller may be a vfork child.
#define EXEC_ADAPTED(environment, target)                                                          \
  (exec_keeps((environment), (target))                                                             \
       ? (char **)(environment)                                                                    \
       : exec_adapt((environment), target_refuses(target), alloca(exec_size(environment))))
bool exec_keeps(char *const environment[], enum target target);
size_t exec_size(char *const environment[]);
char **exec_adapt(char *const environment[], bool without_preload, char **to);
