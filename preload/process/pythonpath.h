// PYTHONPATH in the environment of an exec: `forkhound run --redirect-python` puts a directory
// first, and a program that sets the variable anew loses it. Reads only; async-signal-safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// The directory of --redirect-python is missing from `environment`. False without that option.
bool python_path_lost(char *const environment[]);

// Bytes that python_path_restore() needs.
size_t python_path_size(char *const environment[]);

// "PYTHONPATH=..." with the directory before what `environment` has. Fills and returns `text`.
char *python_path_restore(char *const environment[], char *text);

bool python_path_is(const char *variable);
