#include "language_runtimes.h"

#include <stddef.h>
#include <string.h>

static const struct {
  const char *function, *why;
} known[] = {
    {"os_fork", "Python's os.fork(): the interpreter mends itself in the child"},
    {"os_forkpty", "Python's os.forkpty(): the interpreter mends itself in the child"},
    {"do_fork_exec", "with a preexec_fn Python's interpreter mends itself in the child"},
    {"rb_fork_ruby", "Ruby's fork: the interpreter mends itself in the child"},
    {"retry_fork_ruby", "Ruby's fork: the interpreter mends itself in the child"},
    {"rb_f_fork", "Ruby's fork: the interpreter mends itself in the child"},
    {"Perl_pp_fork", "Perl's fork: the interpreter runs on in the child"},
    {"apr_proc_create", "APR empties its memory pools in the child"},
    {"zif_pcntl_fork", "PHP's pcntl_fork(): the interpreter runs on in the child"},
};

// The interpreters' own files also have functions that fork and exec.
static bool
is_interpreter(const char *module)
{
  static const char *const names[] = {"python", "libpython", "ruby", "libruby",
                                      "perl",   "libperl",   "php",  "libphp"};

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strncmp(module, names[i], strlen(names[i])) == 0)
      return true;
  }
  return false;
}

const char *
language_fork(const char *module, const char *function, bool exact)
{
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    size_t n = strlen(known[i].function);
    // The compiler's clones have a suffix; CPython's functions come as NAME and NAME_impl.
    if (strncmp(function, known[i].function, n) == 0 &&
        (!function[n] || function[n] == '.' || strncmp(function + n, "_impl", 5) == 0))
      return known[i].why;
  }
  if (!exact && strcmp(function, "-") == 0 && is_interpreter(module))
    return "it may be the language's own fork: only a line with its offset allows it";
  return NULL;
}
