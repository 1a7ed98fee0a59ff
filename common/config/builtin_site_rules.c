#include "builtin_site_rules.h"

#include "common/text/text_buffer.h"

#include <stddef.h>
#include <string.h>

static const struct {
  const char *module, *function, *why;
} known[] = {
    {"libjava.so", "Java_java_lang_ProcessImpl_forkAndExec",
     "childProcess() is written for a child that shares its parent's memory"},
    {"libjava.so", "forkChild",
     "childProcess() is written for a child that shares its parent's memory"},
};

const char *
sites_known(const char *module, const char *function)
{
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strncmp(module, known[i].module, strlen(known[i].module)) == 0 &&
        strcmp(function, known[i].function) == 0)
      return known[i].why;
  }
  return NULL;
}

void
sites_help(struct text *t)
{
  text_add_string(
      t,
      "redirect=MODE: fork() carried out as posix_spawn() does it, in processes with threads\n"
      "  off     all forks are real (the default)\n"
      "  learn   all forks are real; what their children do is watched, and the places that\n"
      "          call fork() are written to the file that sites=FILE names, with a verdict\n"
      "  listed  forks from places that this file allows are redirected\n"
      "  auto    the first 3 forks from a place are real and learned from, then it is\n"
      "          redirected if that is safe\n"
      "Known from their sources, and redirected by listed and auto unless the file denies it:\n");
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    text_add(t, "  %s %s: %s\n", known[i].module, known[i].function, known[i].why);
  text_add_string(
      t, "Read, and not among them:\n"
         "  libuv uv_spawn: sets `environ`, and changes its array of descriptors, which is on the\n"
         "          heap for more than 8 of them\n"
         "  GLib g_spawn_*: calls a function of the program in the child, and forks once more\n"
         "          unless the caller reaps\n");
}
