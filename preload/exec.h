// The outcome of a child.
#pragma once

// Has exit() report the end of a child. Before the first thread is made: in a child, libc's list of
// exit functions may be locked for ever.
void exec_start(void);
