#include "env_options.h"

#include "common/text/text_buffer.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind { NUMBER, BOOL, STRING, CHOICE };

struct key {
  const char *name;
  enum kind kind;
  size_t offset;
  int least, most, fallback;  // most: the size of the array for a STRING
  const char *help;
};

#define FIELD(name) offsetof(struct env_options, name)

static const struct key keys[] = {
    {"verbosity", NUMBER, FIELD(verbosity), 0, 3, 0, "1: report forks whose child exec'd too"},
    {"log_path", STRING, FIELD(log_path), 0, 512, 0,
     "append events as JSON lines to this file; %p is the pid"},
    {"exitcode", NUMBER, FIELD(exitcode), 0, 255, 0,
     "exit status of a process that reported a hazard and would have exited with 0; with the "
     "command: that of --error-exitcode"},
    {"suppressions", STRING, FIELD(suppressions), 0, 512, 0,
     "leave out findings that fit a line of this file"},
    {"print_suppressions", BOOL, FIELD(print_suppressions), 0, 1, 0,
     "the command prints how often each line of it fitted"},
    {"color", CHOICE, FIELD(color), 0, 0, COLOR_AUTO, "auto, always or never"},
    {"strip_path_prefix", STRING, FIELD(strip_path_prefix), 0, 512, 0,
     "the command leaves this out at the beginning of source paths"},
    {"max_threads", NUMBER, FIELD(max_threads), 1, 10000, 1000, "stacks taken at one fork"},
    {"max_frames", NUMBER, FIELD(max_frames), 1, 256, 64, "frames of one stack"},
    {"stack_kb", NUMBER, FIELD(stack_kb), 4, 1024, 64, "KiB copied of one stack"},
    {"snapshot_budget", NUMBER, FIELD(snapshot_budget), 0, 100, 2,
     "percent of the time that threads may be stopped at later forks of a known place"},
    {"capture", CHOICE, FIELD(capture), 0, 0, CAPTURE_AUTO,
     "auto, ptrace, exact, proc or off: how stacks are taken"},
    {"redirect", CHOICE, FIELD(redirect), 0, 0, REDIRECT_OFF,
     "off, learn, listed, auto or help: which forks borrow the parent's memory until exec"},
    {"sites", STRING, FIELD(sites), 0, 512, 0,
     "the file of places that fork and of their verdicts, for redirect"},
    {"help", BOOL, FIELD(help), 0, 1, 0, "print this"},
};

enum { KEYS = sizeof keys / sizeof keys[0] };

static bool
parse_number(const char *value, int least, int most, int *result)
{
  char *end;

  errno = 0;
  long number = strtol(value, &end, 10);
  if (errno || end == value || *end || number < least || number > most)
    return false;
  *result = (int)number;
  return true;
}

// The position of a word among those that the help begins with, "a, b or c"; -1: none of them.
static int
choice(const char *help, const char *word)
{
  size_t length = strlen(word);

  for (int i = 0; length > 0 && *help && *help != ':'; i++) {
    size_t n = strcspn(help, ",: ");
    if (n == length && memcmp(help, word, n) == 0)
      return i;
    help += n + strspn(help + n, ", ");
    if (strncmp(help, "or ", 3) == 0)
      help += 3;
  }
  return -1;
}

static void
set(struct env_options *options, const struct key *key, const char *value, struct text *warnings)
{
  char *field = (char *)options + key->offset;
  int number;

  switch (key->kind) {
  case NUMBER:
    if (parse_number(value, key->least, key->most, &number)) {
      memcpy(field, &number, sizeof number);
      return;
    }
    text_add(warnings, "forkhound: FORKHOUND_OPTIONS: %s: expected a number from %d to %d, got '",
             key->name, key->least, key->most);
    break;
  case BOOL:
    if (parse_number(value, 0, 1, &number)) {
      *(bool *)field = number != 0;
      return;
    }
    text_add(warnings, "forkhound: FORKHOUND_OPTIONS: %s: expected 0 or 1, got '", key->name);
    break;
  case STRING:
    if (strlen(value) < (size_t)key->most) {
      memcpy(field, value, strlen(value) + 1);
      return;
    }
    text_add(warnings, "forkhound: FORKHOUND_OPTIONS: %s: longer than %d bytes: '", key->name,
             key->most - 1);
    break;
  case CHOICE:
    number = choice(key->help, value);
    if (number >= 0) {
      memcpy(field, &number, sizeof number);
      return;
    }
    text_add(warnings, "forkhound: FORKHOUND_OPTIONS: %s: expected %.*s, got '", key->name,
             (int)strcspn(key->help, ":"), key->help);
    break;
  }
  text_add_escaped(warnings, value);
  text_add(warnings, "'\n");
}

void
env_options_parse(struct env_options *options, const char *string, struct text *warnings)
{
  memset(options, 0, sizeof *options);
  for (int i = 0; i < KEYS; i++) {
    if (keys[i].kind == NUMBER)
      memcpy((char *)options + keys[i].offset, &keys[i].fallback, sizeof keys[i].fallback);
  }
  while (string && *string) {
    char pair[1024];
    size_t length = strcspn(string, ":");
    size_t kept = length < sizeof pair ? length : sizeof pair - 1;
    memcpy(pair, string, kept);
    pair[kept] = 0;
    string += length + (string[length] == ':');
    if (!*pair)
      continue;

    char *value = strchr(pair, '=');
    if (value)
      *value++ = 0;
    int found = -1;
    for (int i = 0; i < KEYS; i++) {
      if (strcmp(pair, keys[i].name) == 0)
        found = i;
    }
    if (found >= 0 && value) {
      set(options, &keys[found], value, warnings);
      continue;
    }
    text_add(warnings, "forkhound: FORKHOUND_OPTIONS: %s '",
             found < 0 ? "unknown key" : "expected key=value, got");
    text_add_escaped(warnings, pair);
    text_add(warnings, "' (help=1 lists the keys)\n");
  }
}

void
env_options_help(struct text *t)
{
  text_add(t, "FORKHOUND_OPTIONS=key=value:key=value...\n");
  for (int i = 0; i < KEYS; i++) {
    text_add(t, "  %-18s %s", keys[i].name, keys[i].help);
    if (keys[i].kind == NUMBER)
      text_add(t, " (%d to %d, default %d)", keys[i].least, keys[i].most, keys[i].fallback);
    text_add(t, "\n");
  }
}
