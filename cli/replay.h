/* `forkhound report` */
#ifndef FORKHOUND_REPLAY_H
#define FORKHOUND_REPLAY_H

#include "options.h"

/* Returns the exit status. */
int replay(const struct options *options);

#endif
