// How a borrowed child ends under the process id that it had: by an exec, which makes it a child
// like any other, of the library itself, whose entry point (fork_entry.S) ends with a
// status.
#pragma once

// Remembers where the library is. Asks the dynamic loader.
void ender_start(void);

// Returns only where the library cannot be executed. Raw system calls only.
void ender_exec(int status);
