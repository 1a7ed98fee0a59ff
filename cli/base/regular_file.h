// Files whose names a program chose.
#pragma once

// Opens a regular file for reading. -1: it is none, or cannot be read; nothing that waits for
// somebody, such as a FIFO, or that acts on being opened, such as a device, is opened.
int open_regular(const char *path);
