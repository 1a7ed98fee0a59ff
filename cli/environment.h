/* The environment of the command: what it takes to load the library into it. */
#ifndef FORKHOUND_ENVIRONMENT_H
#define FORKHOUND_ENVIRONMENT_H

/* The absolute path of libforkhound.so; ends the program if it cannot be found. The caller frees
 * it. */
char *find_library(void);

/* Ours with LD_PRELOAD, FORKHOUND_EVENTS and, for a start method of multiprocessing,
   what makes each Python take that. Both may be NULL: the variables stay as they are.
   Needs the run directory. */
char **command_environment(const char *library, const char *start_method);

#endif
