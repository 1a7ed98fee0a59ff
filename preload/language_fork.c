#include "language_fork.h"

#include "modules.h"

#include <stddef.h>
#include <string.h>

static const struct {
  const char *function, *why;
} known[] = {
    {"os_fork", "Python's os.fork(): the interpreter mends itself in the child"},
    {"os_forkpty", "Python's os.forkpty(): the interpreter mends itself in the child"},
    {"rb_fork_ruby", "Ruby's fork: the interpreter mends itself in the child"},
    {"retry_fork_ruby", "Ruby's fork: the interpreter mends itself in the child"},
    {"rb_f_fork", "Ruby's fork: the interpreter mends itself in the child"},
    {"Perl_pp_fork", "Perl's fork: the interpreter runs on in the child"},
    {"zif_pcntl_fork", "PHP's pcntl_fork(): the interpreter runs on in the child"},
};

const char *
language_fork(const struct module *m, const char *function)
{
  (void)m;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    size_t n = strlen(known[i].function);
    // The compiler's clones have a suffix; CPython's functions come as NAME and NAME_impl.
    if (strncmp(function, known[i].function, n) == 0 &&
        (!function[n] || function[n] == '.' || strncmp(function + n, "_impl", 5) == 0))
      return known[i].why;
  }
  return NULL;
}
