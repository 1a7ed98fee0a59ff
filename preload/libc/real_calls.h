// The way from a wrapper to the function it stands for. interposed.h is the system's: the table
// FH_INTERPOSED(X) of symbols, with X(result, symbol, parameters), and the names of wrappers. A
// wrapper is FH_EXPORT result FH_WRAPPER(symbol)(parameters).
#pragma once

#include "interposed.h"

#define FH_EXPORT __attribute__((visibility("default")))

#define FH_REAL_MEMBER(result, symbol, parameters) result(*symbol) parameters;
struct fh_real {
  FH_INTERPOSED(FH_REAL_MEMBER)
};
#undef FH_REAL_MEMBER

// What the program would have called. On Linux, the next_symbol() of each: call fh_real_resolve()
// before the first use of a member; it is idempotent, cheap after the first call, and
// pthread_create() has called it before any fork of a multithreaded process: dlsym() may hang in
// the child of one.
extern struct fh_real fh_real;
void fh_real_resolve(void);
