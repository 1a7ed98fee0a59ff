// On x86-64 <stdlib.h> gives daemon() the name of its UNIX 2003 form, daemon$1050; programs built
// for an older system call it by the plain one.
#include "libc/real_calls.h"

FH_EXPORT int FH_WRAPPER(daemon)(int, int);
int plain_daemon(int, int) __asm__("_daemon");

__attribute__((used, section("__DATA,__interpose"))) static const struct {
  const void *replacement, *original;
} pair_plain_daemon = {(const void *)(unsigned long)&FH_WRAPPER(daemon),
                       (const void *)(unsigned long)&plain_daemon};
