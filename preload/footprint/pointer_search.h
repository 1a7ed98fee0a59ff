// Who could write the frame that calls fork while its thread waits for a borrowed child? Those
// writes would be undone with the child's.
#pragma once

struct notes;

// In words, what knows an address in the frame that calls fork, from the stack pointer to the
// return address: another thread, in its registers, in its stack or in what they lead to within
// three steps; or a global variable, or what it points to. NULL: nothing. A step is the 256 bytes
// that a word points to. For the child, which has the memory of the fork.
const char *pointer_holder(struct notes *notes);
