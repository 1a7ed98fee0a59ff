#include "options.h"
#include "sites_known.h"
#include "text.h"
#include "text_buffer.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char general_help[] =
    "Usage: forkhound run [OPTION...] [--] COMMAND [ARG...]\n"
    "       forkhound diagnose [OPTION...] PID...\n"
    "       forkhound report [OPTION...] EVENTS.jsonl\n"
    "       forkhound --help | --version | help TOPIC\n"
    "\n"
    "Find the forks of multithreaded processes, and the children that run on in such a copy.\n"
    "\n"
    "  run            run COMMAND and report its hazardous forks\n"
    "  diagnose       prove that processes that hang already are deadlocked\n"
    "  report         render the log of an earlier run again\n"
    "  help TOPIC     the options of a command: run, diagnose, report; or those of the "
    "environment: options\n"
    "  -h, --help     print this help\n"
    "  -V, --version  print the version\n"
    "\n";

static const char diagnose_help[] =
    "Usage: forkhound diagnose [OPTION...] PID...\n"
    "\n"
    "Look at processes that run already, and at all below them: is one deadlocked, on which lock, "
    "and\n"
    "which thread of its parent owns that? They stop for some milliseconds.\n"
    "\n"
    "  --json                print the findings as events, one JSON object a line\n"
    "  --stuck-after SECONDS how long to watch for a wait that does not end (default 1)\n"
    "  --error-exitcode N    the exit status when a deadlock is proven, 1 to 255 (default 66)\n"
    "  -h, --help            print this help\n"
    "\n"
    "Exit status: 0 if nothing is deadlocked; 125 if a process could not be examined.\n";

static const char run_help[] = "Usage: forkhound run [OPTION...] [--] COMMAND [ARG...]\n"
                               "\n"
                               "Run COMMAND with libforkhound.so preloaded and report each place "
                               "where a process with several threads forks a\n"
                               "child that runs on without exec.\n"
                               "\n"
                               "  --log FILE            write every event to FILE, one JSON object "
                               "a line; %p in FILE is forkhound's pid\n"
                               "  --report FORMAT[:FILE]\n"
                               "                        text (the default) or json, to FILE or "
                               "stderr; may be given once for each format\n"
                               "  --fail-on LEVEL       deadlock (the default), suspect, hazard or "
                               "never: the least finding that makes\n"
                               "                        the exit status that of --error-exitcode\n"
                               "  --error-exitcode N    that exit status, 1 to 255 (default 66)\n"
                               "  --on-deadlock ACTION  kill (the default): the stuck child, "
                               "after its report; stop it, for a debugger;\n"
                               "                        or only report\n"
                               "  --stuck-after SECONDS examine a child that has been in one wait "
                               "for so long (default 1)\n"
                               "  --redirect=MODE       off (the default), learn, listed or auto: "
                               "which forks of processes with several\n"
                               "                        threads borrow the parent's memory until "
                               "exec; help prints the built-in list\n"
                               "  --sites FILE          what is known of the places that fork; "
                               "learn and auto write it\n"
                               "  --suppressions FILE   leave out findings that fit a line of FILE "
                               "(see docs/suppressions.md)\n"
                               "  --redirect-python METHOD\n"
                               "                        spawn or forkserver: how multiprocessing "
                               "starts processes in Python programs that\n"
                               "                        choose no method (see docs/python.md)\n"
                               "  --time-limit SECONDS  end the command and all its descendants "
                               "after SECONDS; 0 (the default): never\n"
                               "  --color WHEN          auto (the default), always or never\n"
                               "  -q, --quiet           print the summary line only\n"
                               "  -v, --verbose         report forks followed by exec too, notes, "
                               "and always the summary line\n"
                               "  -h, --help            print this help\n"
                               "\n"
                               "Exit status: the command's own, 128+N if signal N ended it; that "
                               "of --error-exitcode if a finding reached\n"
                               "--fail-on; 124 if the time limit ended it; 125 if forkhound itself "
                               "failed; 126 if COMMAND cannot be executed;\n"
                               "127 if it cannot be found.\n"
                               "\n"
                               "Environment: FORKHOUND_OPTIONS: see 'forkhound help options'; "
                               "FORKHOUND_LIBRARY is the path of libforkhound.so,\n"
                               "if it is not where it was installed; TMPDIR is where the run "
                               "directory is made (default /tmp); NO_COLOR turns\n"
                               "--color auto off.\n";

static const char report_help[] =
    "Usage: forkhound report [OPTION...] EVENTS.jsonl\n"
    "\n"
    "Render a log that `forkhound run --log` or the library wrote.\n"
    "\n"
    "  --report FORMAT[:FILE]\n"
    "                        text (the default) or json, to FILE or stdout; may be given once for "
    "each format\n"
    "  --suppressions FILE   leave out findings that fit a line of FILE (see "
    "docs/suppressions.md)\n"
    "  --gen-suppressions    print a line for each finding that would leave it out, instead of "
    "the text report\n"
    "  --color WHEN          auto (the default), always or never\n"
    "  -q, --quiet           print the summary line only\n"
    "  -v, --verbose         report forks followed by exec too, and notes\n"
    "  -h, --help            print this help\n"
    "\n"
    "Exit status: 0; 125 if the file cannot be read or holds no event but broken lines.\n";

static void
print_environment_help(void)
{
  char bytes[4096];
  struct text text = {.bytes = bytes, .size = sizeof bytes};
  env_options_help(&text);
  fwrite(bytes, 1, text.length, stdout);
}

static void
print_redirect_help(void)
{
  char bytes[8192];
  struct text text = {.bytes = bytes, .size = sizeof bytes};
  sites_help(&text);
  fwrite(bytes, 1, text.length, stdout);
}

bool
print_help(const char *topic)
{
  if (!topic)
    fputs(general_help, stdout);
  if (!topic || !strcmp(topic, "run"))
    fputs(run_help, stdout);
  else if (!strcmp(topic, "diagnose"))
    fputs(diagnose_help, stdout);
  else if (!strcmp(topic, "report"))
    fputs(report_help, stdout);
  else if (!strcmp(topic, "options"))
    print_environment_help();
  else
    return false;
  if (!topic)
    fputs("\nSee `forkhound help diagnose` and `forkhound help report` for their options.\n",
          stdout);
  return true;
}

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
  OPT_STUCK_AFTER,
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
    {"stuck-after", required_argument, NULL, OPT_STUCK_AFTER},
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

static void
parse_fail_on(const char *sub, const char *value, struct options *options)
{
  if (!strcmp(value, "deadlock"))
    options->fail_on = LEVEL_DEADLOCK;
  else if (!strcmp(value, "suspect"))
    options->fail_on = LEVEL_SUSPECT;
  else if (!strcmp(value, "hazard"))
    options->fail_on = LEVEL_HAZARD;
  else if (!strcmp(value, "never"))
    options->fail_on = LEVEL_NEVER;
  else
    die("%s: --fail-on: expected deadlock, suspect, hazard or never, got '%s'", sub, value);
}

static void
parse_color(const char *sub, const char *value, struct options *options)
{
  if (!strcmp(value, "auto"))
    options->color = COLOR_AUTO;
  else if (!strcmp(value, "always"))
    options->color = COLOR_ALWAYS;
  else if (!strcmp(value, "never"))
    options->color = COLOR_NEVER;
  else
    die("%s: --color: expected auto, always or never, got '%s'", sub, value);
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

static void
parse_on_deadlock(const char *sub, const char *value, struct options *options)
{
  if (!strcmp(value, "kill"))
    options->on_deadlock = DEADLOCK_KILL;
  else if (!strcmp(value, "report"))
    options->on_deadlock = DEADLOCK_REPORT;
  else if (!strcmp(value, "stop"))
    options->on_deadlock = DEADLOCK_STOP;
  else
    die("%s: --on-deadlock: expected kill, report or stop, got '%s'", sub, value);
}

static const char *const redirect_words[] = {"off", "learn", "listed", "auto", "help"};

const char *
redirect_word(enum redirect_mode mode)
{
  return redirect_words[mode];
}

static void
parse_redirect(const char *sub, const char *value, struct options *options)
{
  size_t count = sizeof redirect_words / sizeof *redirect_words, i = 0;
  while (i < count && strcmp(value, redirect_words[i]))
    i++;
  if (i == count)
    die("%s: --redirect: expected off, learn, listed, auto or help, got '%s'", sub, value);
  if (i == REDIRECT_HELP) {
    print_redirect_help();
    exit(fflush(stdout) ? 125 : 0);
  }
  options->redirect = (enum redirect_mode)i;
  options->redirect_given = true;
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
parse_redirect_python(const char *sub, const char *value, struct options *options)
{
  if (strcmp(value, "spawn") != 0 && strcmp(value, "forkserver") != 0)
    die("%s: --redirect-python: expected spawn or forkserver, got '%s'", sub, value);
  options->redirect_python = value;
}

static void
add_suppressions(struct options *options, const char *path)
{
  options->suppressions = xrealloc(options->suppressions, (options->suppressions_count + 1) *
                                                              sizeof *options->suppressions);
  options->suppressions[options->suppressions_count++] = path;
}

/* The keys of the environment that concern the command; the library takes the others. */
static void
take_environment(struct options *options)
{
  static struct env_options env;
  char warnings[4096];
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
  *options = (struct options){.fail_on = LEVEL_DEADLOCK, .error_exitcode = 66, .stuck_after = 1};
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
    case OPT_FAIL_ON: parse_fail_on(sub, optarg, options); break;
    case OPT_ERROR_EXITCODE: parse_exitcode(sub, optarg, options); break;
    case OPT_TIME_LIMIT: options->time_limit = parse_seconds(sub, "--time-limit", optarg); break;
    case OPT_STUCK_AFTER: options->stuck_after = parse_seconds(sub, "--stuck-after", optarg); break;
    case OPT_ON_DEADLOCK: parse_on_deadlock(sub, optarg, options); break;
    case OPT_REDIRECT_PYTHON: parse_redirect_python(sub, optarg, options); break;
    case OPT_COLOR: parse_color(sub, optarg, options); break;
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
