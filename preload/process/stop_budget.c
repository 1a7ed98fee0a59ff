#include "stop_budget.h"

#include "process.h"

#include <stdatomic.h>
#include <time.h>

static uint64_t started;
static _Atomic uint64_t spent, last;

void
budget_start(void)
{
  started = now_ns(CLOCK_MONOTONIC);
}

bool
budget_allows(int percent)
{
  return (spent + last) * 100 <= (now_ns(CLOCK_MONOTONIC) - started) * (uint64_t)percent;
}

void
budget_spend(uint64_t ns)
{
  spent += ns;
  last = ns;
}
