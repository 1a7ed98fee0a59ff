#include "redirects.h"
#include "json_get.h"
#include "text.h"

#include <string.h>

static bool
is(const json_t *event, const char *action)
{
  const char *its = get_string(event, "action");
  return its && !strcmp(its, action);
}

void
redirects_add(struct redirects *redirects, const json_t *event)
{
  redirects->borrowed += is(event, "borrowed");
  redirects->became_real += is(event, "materialised");
  redirects->refused += is(event, "refused");
  redirects->unavailable |= is(event, "unavailable");
}

static void
put(FILE *out, const char *before, const char *text)
{
  if (!text)
    return;
  fputs(before, out);
  put_escaped(out, text);
}

void
redirects_render(FILE *out, const json_t *event)
{
  const json_t *site = json_object_get(event, "site");
  const char *function = get_string(site, "function");
  long long child = get_integer(event, "child");
  fputs("forkhound: redirect", out);
  if (is(event, "unavailable"))
    fputs(": not available, forks are real", out);
  put(out, ": ", get_string(site, "module"));
  put(out, "+", get_string(site, "offset"));
  if (function && strcmp(function, "-") != 0)
    put(out, " ", function);
  if (child)
    fprintf(out, ": child %lld", child);
  if (is(event, "borrowed"))
    fputs(" was carried out as posix_spawn does", out);
  else if (is(event, "materialised"))
    fputs(" became a process of its own", out);
  else if (is(event, "refused"))
    fputs(" is not redirected", out);
  else if (is(event, "learned"))
    put(out, " was learned from: ", get_string(event, "verdict"));
  put(out, ": ", get_string(event, "reason"));
  fputc('\n', out);
  fflush(out);
}

void
redirects_render_summary(FILE *out, const struct redirects *redirects)
{
  const char *separator = "; ";
  if (redirects->borrowed) {
    fprintf(out, "%s%u fork%s carried out as posix_spawn does", separator, redirects->borrowed,
            redirects->borrowed == 1 ? "" : "s");
    separator = ", ";
  }
  if (redirects->became_real) {
    fprintf(out, "%s%u became real", separator, redirects->became_real);
    separator = ", ";
  }
  if (redirects->refused)
    fprintf(out, "%s%u refused", separator, redirects->refused);
}
