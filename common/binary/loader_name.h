// Dynamic loaders are programs too: `ld-linux-x86-64.so.2 PROGRAM`, as ldd runs them.
#pragma once

enum loader { LOADER_NONE, LOADER_GLIBC, LOADER_MUSL };

// Which loader a file without one of its own is, by its name. glibc's loads what LD_PRELOAD says
// into the program that it is to run.
enum loader loader_name(const char *path);
