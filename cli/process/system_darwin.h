// What the command asks of macOS itself.
#pragma once

#include "common/binary/macho_protection.h"

// The path of this program; the caller frees it.
char *system_own_path(void);

enum protection_cpu system_cpu(void);

// The program that says where a process is: sample(1).
const char *system_sampler(void);
