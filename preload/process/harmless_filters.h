// The seccomp filters that the command has found to be harmless.
#pragma once

// Their number, as the run directory has it; 0: none. Reads a file at the first call.
int harmless_filters(void);
