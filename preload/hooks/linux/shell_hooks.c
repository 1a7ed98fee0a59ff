// system(), popen() and wordexp() start a shell inside libc, where no wrapper sees the exec: for as
// long as they take the list of libraries in the program's environment has ours too. One that is
// not there at all is not put there: it is a blind spot, told by name.
#include "redirect/promote_child.h"
#include "hooks/exec_hooks.h"
#include "libc/real_calls.h"
#include "learn/learn.h"
#include "process/preload_list.h"
#include "process/process.h"

#include <alloca.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct lent {
  char *old, *ours;  // NULL: nothing is
};

// Never given back: another thread may hold what getenv() has returned. Most programs set the
// variable once.
static char *
keep(const char *text)
{
  static _Atomic(char *) last;
  char *kept = last;
  size_t size = strlen(text) + 1;

  if (kept && strcmp(kept, text) == 0)
    return kept;
  kept = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (kept == MAP_FAILED)
    return NULL;
  last = memcpy(kept, text, size);
  return kept;
}

static struct lent
lend(void)
{
  struct lent lent = {NULL, NULL};

  if (process.secure || !preload_list_lost(environ))
    return lent;
  char *const *variable = preload_list_find(environ);
  if (!variable) {
    exec_tell_blind("/bin/sh", "started without LD_PRELOAD");
    return lent;
  }
  char *text = preload_list_restore(environ, alloca(preload_list_size(environ)));
  lent = (struct lent){*variable, keep(text)};
  if (lent.ours)
    environ[variable - environ] = lent.ours;
  return lent;
}

// Another thread may have moved the environment meanwhile.
static void
give_back(const struct lent *lent)
{
  for (char **variable = environ; lent->ours && variable && *variable; variable++) {
    if (*variable == lent->ours)
      *variable = lent->old;
  }
}

static void
before(const char *reason)
{
  fh_real_resolve();
  become_real(reason, REAL_WHOLE);
  learn_refuse(reason);
}

FH_EXPORT int
system(const char *command)
{
  before("called system");
  struct lent lent = lend();
  int result = fh_real.system(command);
  give_back(&lent);
  return result;
}

FH_EXPORT FILE *
popen(const char *command, const char *mode)
{
  before("called popen");
  struct lent lent = lend();
  FILE *result = fh_real.popen(command, mode);
  give_back(&lent);
  return result;
}

// Command substitution, or arithmetic.
static bool
may_run_shell(const char *words, int flags)
{
  return !(flags & WRDE_NOCMD) && (strchr(words, '`') || strstr(words, "$("));
}

FH_EXPORT int
wordexp(const char *words, wordexp_t *expanded, int flags)
{
  if (!may_run_shell(words, flags)) {
    fh_real_resolve();
    return fh_real.wordexp(words, expanded, flags);
  }
  before("called wordexp");
  struct lent lent = lend();
  int result = fh_real.wordexp(words, expanded, flags);
  give_back(&lent);
  return result;
}
