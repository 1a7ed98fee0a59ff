// How much of the process's time goes into stopping its threads.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// The process's clock begins here: before its first thread is made.
void budget_start(void);

// One more capture as long as the last one keeps within `percent` of the time since the start.
bool budget_allows(int percent);

// A capture took so long.
void budget_spend(uint64_t ns);
