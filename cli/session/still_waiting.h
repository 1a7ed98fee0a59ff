// Which children sleep in a lock when the command is ended from outside?
#pragma once

#include "session.h"
#include "watch/watch.h"

// A `waiting` event, with its stack, of each child whose first thread sleeps in a futex wait, with
// a timeout or without. Takes some milliseconds for each: after two seconds the others are left
// without a stack.
void still_waiting(const struct watch *watch, struct session *session);
