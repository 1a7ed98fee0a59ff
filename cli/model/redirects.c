#include "redirects.h"
#include "base/json_fields.h"
#include "base/message.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TOLD = 4096 };

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

// The line, without the child that it is about. The caller frees it.
static char *
line_of(const json_t *event)
{
  const json_t *site = json_object_get(event, "site");
  const char *module = get_string(site, "module"), *offset = get_string(site, "offset"),
             *function = get_string(site, "function"), *reason = get_string(event, "reason");
  if (is(event, "unavailable"))
    return xasprintf("not available, forks are real: %s", reason ? reason : "?");
  if (function && !strcmp(function, "-"))
    function = NULL;
  const char *what = is(event, "borrowed")       ? "is carried out as posix_spawn does"
                     : is(event, "materialised") ? "a child became a process of its own"
                     : is(event, "refused")      ? "is not redirected"
                     : is(event, "replaced")     ? "a stuck child was replaced"
                                                 : "?";
  return xasprintf("%s+%s%s%s: %s%s%s", module ? base_name(module) : "?", offset ? offset : "?",
                   function ? " " : "", function ? function : "", what, reason ? ": " : "",
                   reason ? reason : "");
}

void
redirects_render(FILE *out, struct redirects *redirects, const json_t *event, bool verbose)
{
  // Of lessons learned_print() tells.
  if (is(event, "learned") || (!verbose && !is(event, "unavailable")))
    return;
  char *line = line_of(event);
  if (!redirects->told)
    redirects->told = json_object();
  if (!json_object_get(redirects->told, line) && json_object_size(redirects->told) < MOST_TOLD) {
    json_object_set_new(redirects->told, line, json_true());
    fputs("forkhound: redirect: ", out);
    put_escaped(out, line);
    fputc('\n', out);
    fflush(out);
  }
  free(line);
}

void
redirects_free(struct redirects *redirects)
{
  json_decref(redirects->told);
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
