// Mach-O: the section __DATA,__interpose holds pairs of a replacement and the symbol it replaces.
// dyld binds that symbol of every image but ours to the replacement, if the library is inserted at
// the start of the program. A call of ours reaches the real function by its plain name.
#include "libc/real_calls.h"

// daemon(): programs call it all the same.
#pragma clang diagnostic ignored "-Wdeprecated-declarations"

#define DECLARE(result, symbol, parameters) FH_EXPORT result FH_WRAPPER(symbol) parameters;
FH_INTERPOSED(DECLARE)
#undef DECLARE

#define REAL(result, symbol, parameters) .symbol = symbol,
struct fh_real fh_real = {FH_INTERPOSED(REAL)};
#undef REAL

void
fh_real_resolve(void)
{
}

struct pair {
  const void *replacement, *original;
};

#define PAIR(result, symbol, parameters)                                                           \
  __attribute__((used, section("__DATA,__interpose"))) static const struct pair pair_##symbol = {  \
      (const void *)(unsigned long)&FH_WRAPPER(symbol), (const void *)(unsigned long)&symbol};
FH_INTERPOSED(PAIR)
#undef PAIR
