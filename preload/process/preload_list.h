// The variable that has the loader load libraries (LD_PRELOAD) in the environment of an exec: a
// program that sets it for a library of its own drops ours. Ours goes last, behind the others:
// - sanitizers end a program in which they are not the first library;
// - a wrapper of another library, for fork() or pthread_create(), calls what is behind it: ours,
//   which sees the call as libc gets it, and the environment of an exec as the program gets it;
// - allocators do not mind: nothing of ours stands for malloc();
// - of several libraries with `initfirst` glibc honours the one that it loads last.
// Reads only; async-signal-safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// The variable in `environment`, or NULL. If it is there more than once: the one the loader takes.
char *const *preload_list_find(char *const environment[]);

// Our library is not in the list of `environment`. False where it was loaded in another way than by
// this variable.
bool preload_list_lost(char *const environment[]);

// Bytes that either of the following needs.
size_t preload_list_size(char *const environment[]);

// "LD_PRELOAD=..." with our library behind what `environment` has. Fills and returns `text`.
char *preload_list_restore(char *const environment[], char *text);

// The same without our library; NULL if nothing else is in it, or too much.
char *preload_list_strip(char *const environment[], char *text);
