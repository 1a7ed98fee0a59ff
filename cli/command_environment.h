/* What the command finds in its environment. */
#ifndef FORKHOUND_COMMAND_ENVIRONMENT_H
#define FORKHOUND_COMMAND_ENVIRONMENT_H

/* Ours, with `library` before what the variable `preload` (LD_PRELOAD and its like) names already,
   and the path that events go to. `library` is NULL to leave that variable as it is. */
char **command_environment(const char *preload, const char *library, const char *events);

#endif
