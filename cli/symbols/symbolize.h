// Names for the frames of an event: from the symbol tables and debug information of the modules on
// disk, which the process of symbolizer.h reads.
#pragma once

#include <jansson.h>

// Adds function, file and line to every frame of every stack in the event, and a frame with
// "inlined": true for every inlined call; marks the event "symbolized": true and leaves marked
// events alone. Waits for the names for some seconds at most; a frame may stay without. Never asks
// a debuginfod server.
void symbolize_event(json_t *event);

// Leaves this out at the beginning of every file from now on; kept by reference.
void symbolize_strip(const char *prefix);
