// What the threads of a live process do now.
#pragma once

#include <jansson.h>
#include <sys/types.h>

// At most 64, in the form of a fork event's `others`. NULL: it is gone, or may not be looked at.
// Stops each for some milliseconds.
json_t *threads_now(pid_t pid);
