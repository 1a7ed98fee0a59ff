// Opening the files that options name. A FIFO whose other end nobody holds does not keep us: to be
// read it is empty, to be written it is refused with ENXIO.
#pragma once

#include <stdio.h>
#include <sys/types.h>

// As open(2), close-on-exec, never the controlling terminal. -1: errno says why.
int open_file(const char *path, int flags, mode_t mode);
// The same as a stream: `how` is "r" or "w". Says so where a FIFO is taken as empty.
FILE *open_stream(const char *path, const char *how);
// What errno says after either.
const char *open_error(void);
