#include "base/options.h"
#include "help.h"
#include "base/message.h"
#include "common/text/text_buffer.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *
expand_file_name(const char *pattern)
{
  char *result = xrealloc(NULL, 12 * strlen(pattern) + 1);
  char *to = result;
  for (const char *s = pattern; *s; s++) {
    if (s[0] == '%' && s[1] == 'p') {
      to += sprintf(to, "%ld", (long)getpid());
      s++;
    } else if (s[0] == '%' && s[1] == '%') {
      *to++ = *s++;
    } else {
      *to++ = *s;
    }
  }
  *to = 0;
  return result;
}

enum {
  OPT_LOG = 256,
  OPT_REPORT,
  OPT_FAIL_ON,
  OPT_ERROR_EXITCODE,
  OPT_TIME_LIMIT,
  OPT_COLOR,
  OPT_ON_DEADLOCK,
  OPT_ON_SUSPECT,
  OPT_STUCK_AFTER,
  OPT_GRACE,
  OPT_JSON,
  OPT_SUPPRESSIONS,
  OPT_GEN_SUPPRESSIONS,
  OPT_REDIRECT_PYTHON,
  OPT_REDIRECT,
  OPT_SITES,
};

static const struct option run_options[] = {
    {"redirect", required_argument, NULL, OPT_REDIRECT},
    {"sites", required_argument, NULL, OPT_SITES},
    {"suppressions", required_argument, NULL, OPT_SUPPRESSIONS},
    {"log", required_argument, NULL, OPT_LOG},
    {"report", required_argument, NULL, OPT_REPORT},
    {"fail-on", required_argument, NULL, OPT_FAIL_ON},
    {"error-exitcode", required_argument, NULL, OPT_ERROR_EXITCODE},
    {"on-deadlock", required_argument, NULL, OPT_ON_DEADLOCK},
    {"on-suspect", required_argument, NULL, OPT_ON_SUSPECT},
    {"stuck-after", required_argument, NULL, OPT_STUCK_AFTER},
    {"grace", required_argument, NULL, OPT_GRACE},
    {"redirect-python", required_argument, NULL, OPT_REDIRECT_PYTHON},
    {"time-limit", required_argument, NULL, OPT_TIME_LIMIT},
    {"color", required_argument, NULL, OPT_COLOR},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const struct option diagnose_options[] = {
    {"json", no_argument, NULL, OPT_JSON},
    {"stuck-after", required_argument, NULL, OPT_STUCK_AFTER},
    {"error-exitcode", required_argument, NULL, OPT_ERROR_EXITCODE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const struct option report_options[] = {
    {"gen-suppressions", no_argument, NULL, OPT_GEN_SUPPRESSIONS},
    {"suppressions", required_argument, NULL, OPT_SUPPRESSIONS},
    {"report", required_argument, NULL, OPT_REPORT},
    {"color", required_argument, NULL, OPT_COLOR},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void
parse_report(const char *sub, const char *value, struct options *options)
{
  const char *colon = strchr(value, ':');
  size_t length = colon ? (size_t)(colon - value) : strlen(value);
  if (colon && !colon[1])
    die("%s: --report: the file name after '%s' is missing", sub, value);
  const char *file = colon ? colon + 1 : NULL;
  if (length == 4 && !strncmp(value, "text", 4)) {
    options->text = true;
    options->text_file = file;
  } else if (length == 4 && !strncmp(value, "json", 4)) {
    options->json = true;
    options->json_file = file;
  } else {
    die("%s: --report: expected text or json, then perhaps :FILE, got '%s'", sub, value);
  }
}

// In the order of their enums; the levels from LEVEL_HAZARD on.
static const char *const levels[] = {"hazard", "suspect", "deadlock", "never", NULL};
static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const actions[] = {"kill", "report", "stop", NULL};
static const char *const modes[] = {"off", "learn", "listed", "auto", "help", NULL};
static const char *const methods[] = {"spawn", "forkserver", NULL};

// Which of the words it is.
static int
parse_word(const char *sub, const char *option, const char *value, const char *const words[])
{
  char *expected = xstrdup(words[0]);
  for (int i = 0; words[i]; i++) {
    if (!strcmp(value, words[i])) {
      free(expected);
      return i;
    }
    if (i == 0)
      continue;
    char *more = xasprintf("%s%s%s", expected, words[i + 1] ? ", " : " or ", words[i]);
    free(expected);
    expected = more;
  }
  die("%s: %s: expected %s, got '%s'", sub, option, expected, value);
}

static bool
digits_only(const char *text, const char *also)
{
  return *text && !text[strspn(text, also)] && strpbrk(text, "0123456789");
}

static void
parse_exitcode(const char *sub, const char *value, struct options *options)
{
  long n = digits_only(value, "0123456789") && strlen(value) < 9 ? strtol(value, NULL, 10) : 0;
  if (n < 1 || n > 255)
    die("%s: --error-exitcode: expected a number from 1 to 255, got '%s'", sub, value);
  options->error_exitcode = (int)n;
}

static double
parse_seconds(const char *sub, const char *name, const char *value)
{
  char *end = NULL;
  double seconds = digits_only(value, "0123456789.") ? strtod(value, &end) : -1;
  if (!(seconds >= 0 && seconds <= 1e9) || !end || *end)
    die("%s: %s: expected a number of seconds from 0 to 1000000000, got '%s'", sub, name, value);
  return seconds;
}

const char *
redirect_word(enum redirect_mode mode)
{
  return modes[mode];
}

static void
parse_redirect(const char *sub, const char *value, struct options *options)
{
  options->redirect = (enum redirect_mode)parse_word(sub, "--redirect", value, modes);
  options->redirect_given = true;
  if (options->redirect == REDIRECT_HELP) {
    print_redirect_help();
    exit(fflush(stdout) ? 125 : 0);
  }
}

static void
parse_sites(const char *sub, const char *value, struct options *options)
{
  if (!*value)
    die("%s: --sites: expected a file name, got ''", sub);
  options->sites = value;
  options->sites_given = true;
}

static void
add_suppressions(struct options *options, const char *path)
{
  options->suppressions = xrealloc(options->suppressions, (options->suppressions_count + 1) *
                                                              sizeof *options->suppressions);
  options->suppressions[options->suppressions_count++] = path;
}

// The keys of the environment that concern the command; the library takes the others.
static void
take_environment(struct options *options)
{
  static struct env_options env;
  char warnings[4096] = "";
  struct text text = {.bytes = warnings, .size = sizeof warnings};
  env_options_parse(&env, getenv("FORKHOUND_OPTIONS"), &text);
  if (env.help)
    env_options_help(&text);
  fwrite(warnings, 1, text.length, stderr);
  options->verbose = env.verbosity > 0;
  options->print_suppressions = env.print_suppressions;
  options->color = env.color;
  options->redirect = env.redirect;
  options->sites = env.sites;
  options->strip_path_prefix = env.strip_path_prefix;
  if (env.exitcode)
    options->error_exitcode = env.exitcode;
  if (env.suppressions[0])
    add_suppressions(options, env.suppressions);
}

static void
parse(int argc, char **argv, struct options *options, const struct option *table)
{
  const char *sub = argv[0];
  *options = (struct options){.fail_on = LEVEL_DEADLOCK,
                              .error_exitcode = 66,
                              .stuck_after = 1,
                              .grace = 30,
                              .on_suspect = STUCK_REPORT};
  take_environment(options);
  bool verbose_given = false;
  opterr = 0;
  optind = 1;
  for (;;) {
    int before = optind;
    int c = getopt_long(argc, argv, "+:qvh", table, NULL);
    if (c == -1)
      break;
    switch (c) {
    case OPT_LOG:
      if (!*optarg)
        die("%s: --log: expected a file name, got ''", sub);
      options->log = optarg;
      break;
    case OPT_REPORT: parse_report(sub, optarg, options); break;
    case OPT_FAIL_ON:
      options->fail_on = LEVEL_HAZARD + (enum level)parse_word(sub, "--fail-on", optarg, levels);
      break;
    case OPT_ERROR_EXITCODE: parse_exitcode(sub, optarg, options); break;
    case OPT_TIME_LIMIT: options->time_limit = parse_seconds(sub, "--time-limit", optarg); break;
    case OPT_STUCK_AFTER: options->stuck_after = parse_seconds(sub, "--stuck-after", optarg); break;
    case OPT_GRACE: options->grace = parse_seconds(sub, "--grace", optarg); break;
    case OPT_ON_DEADLOCK:
      options->on_deadlock = (enum stuck_action)parse_word(sub, "--on-deadlock", optarg, actions);
      break;
    case OPT_ON_SUSPECT:
      options->on_suspect = (enum stuck_action)parse_word(sub, "--on-suspect", optarg, actions);
      break;
    case OPT_REDIRECT_PYTHON:
      options->redirect_python = methods[parse_word(sub, "--redirect-python", optarg, methods)];
      break;
    case OPT_COLOR: options->color = (enum color)parse_word(sub, "--color", optarg, colors); break;
    case OPT_REDIRECT: parse_redirect(sub, optarg, options); break;
    case OPT_SITES: parse_sites(sub, optarg, options); break;
    case OPT_JSON: options->json = true; break;
    case OPT_GEN_SUPPRESSIONS: options->gen_suppressions = true; break;
    case OPT_SUPPRESSIONS: add_suppressions(options, optarg); break;
    case 'q':
      options->quiet = true;
      options->verbose = verbose_given;
      break;
    case 'v': options->verbose = verbose_given = true; break;
    case 'h': print_help(sub); exit(fflush(stdout) ? 125 : 0);
    case ':': die("%s: %s: needs a value (try 'forkhound help %s')", sub, argv[before], sub);
    default:
      if (optopt && optopt < 256 && argv[before][1] != '-')
        die("%s: unknown option '-%c' (try 'forkhound help %s')", sub, optopt, sub);
      if (optopt)
        die("%s: %s: takes no value", sub, argv[before]);
      die("%s: unknown option '%s' (try 'forkhound help %s')", sub, argv[before], sub);
    }
  }
  if (options->quiet && options->verbose)
    die("%s: -q and -v exclude each other", sub);
  if (!options->json)
    options->text = true;
}

void
parse_run_options(int argc, char **argv, struct options *options)
{
  parse(argc, argv, options, run_options);
  if (optind >= argc)
    die("run: no COMMAND given (try 'forkhound help run')");
  options->command = argv + optind;
}

void
parse_diagnose_options(int argc, char **argv, struct options *options)
{
  parse(argc, argv, options, diagnose_options);
  if (optind >= argc)
    die("diagnose: no PID given (try 'forkhound help diagnose')");
  options->command = argv + optind;
}

void
parse_report_options(int argc, char **argv, struct options *options)
{
  parse(argc, argv, options, report_options);
  if (optind >= argc)
    die("report: no FILE given (try 'forkhound help report')");
  if (optind + 1 < argc)
    die("report: one FILE expected, got also '%s'", argv[optind + 1]);
  options->input = argv[optind];
}
