// What the command needs at run time, in the build directory or where it was installed.
#pragma once

// Absolute paths; each ends the program if there is none. The caller frees them.

// libforkhound.so: that of FORKHOUND_LIBRARY, or beside the command.
char *installed_library(void);
// The directory of the sitecustomize that each Python is to find first.
char *installed_python(void);
