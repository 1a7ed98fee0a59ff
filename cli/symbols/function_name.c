#include "function_name.h"

#include <stddef.h>
#include <string.h>

// Steps over one character; *depth counts the brackets that are open. The '>' of "->" is none.
static void
count(const char *text, size_t i, int *depth)
{
  if (strchr("<([{", text[i]))
    ++*depth;
  else if (strchr(")]}", text[i]) || (text[i] == '>' && (!i || text[i - 1] != '-')))
    --*depth;
}

// Where the qualified name begins, and where the parameters do, or the text ends. An operator's
// name has brackets of its own.
static const char *
find(const char *text, const char **end)
{
  static const char anonymous[] = "(anonymous namespace)";
  const char *start = text;
  int depth = 0;
  size_t i = 0;
  for (; text[i]; i++) {
    if (depth == 0 && !strncmp(text + i, anonymous, sizeof anonymous - 1)) {
      i += sizeof anonymous - 2;
      continue;
    }
    if (depth == 0 && (text[i] == '(' || !strncmp(text + i, "operator", 8)))
      break;
    if (depth == 0 && text[i] == ' ')
      start = text + i + 1;
    count(text, i, &depth);
  }
  *end = text + i;
  return start;
}

const char *
function_qualified(const char *function)
{
  const char *end;
  return function ? find(function, &end) : "";
}

bool
function_is_rust(const char *function)
{
  const char *end;
  return function && (find(function, &end), !*end) && strstr(function, "::");
}

static bool
begins(const char *text, const char *prefix)
{
  return !strncmp(text, prefix, strlen(prefix));
}

bool
function_is_standard(const char *function)
{
  const char *name = function_qualified(function);
  bool rust = function_is_rust(function);
  if (rust)  // <T>::f and <T as Trait>::f
    name += strspn(name, "<&");
  return begins(name, "std::") || begins(name, "__gnu_cxx::") || begins(name, "__gthread_") ||
         begins(name, "__glibcxx_") ||
         (rust && (begins(name, "core::") || begins(name, "alloc::")));
}
