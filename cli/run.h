/* `forkhound run` */
#ifndef FORKHOUND_RUN_H
#define FORKHOUND_RUN_H

#include "options.h"

/* Returns the exit status. */
int run(const struct options *options);

#endif
