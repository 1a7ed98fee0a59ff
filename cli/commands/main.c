// forkhound: command dispatch.
#include "diagnose.h"
#include "help.h"
#include "base/options.h"
#include "report.h"
#include "run.h"
#include "symbols/symbolize.h"
#include "base/message.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// A standard descriptor closed by our caller must not become one of our files; the command still
// finds it closed.
static void
occupy_standard_descriptors(void)
{
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
      _exit(125);
}

static int
finish_stdout(void)
{
  if (fflush(stdout) || ferror(stdout))
    die("stdout: %m");
  return 0;
}

int
main(int argc, char **argv)
{
  occupy_standard_descriptors();
  if (argc < 2)
    die("no command given (try 'forkhound --help')");
  struct options options;
  const char *name = argv[1];
  if (!strcmp(name, "run")) {
    parse_run_options(argc - 1, argv + 1, &options);
    symbolize_strip(options.strip_path_prefix);
    return run(&options);
  }
  if (!strcmp(name, "diagnose")) {
    parse_diagnose_options(argc - 1, argv + 1, &options);
    symbolize_strip(options.strip_path_prefix);
    int status = diagnose(&options);
    finish_stdout();
    return status;
  }
  if (!strcmp(name, "report")) {
    parse_report_options(argc - 1, argv + 1, &options);
    symbolize_strip(options.strip_path_prefix);
    return replay(&options);
  }
  if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
    puts("forkhound " FORKHOUND_VERSION);
    return finish_stdout();
  }
  if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
    if (!print_help(argv[2]))
      die("help: no such topic '%s': expected run, diagnose, report or options", argv[2]);
    return finish_stdout();
  }
  if (name[0] == '-')
    die("unknown option '%s' (try 'forkhound --help')", name);
  die("unknown command '%s': expected run, diagnose, report or help", name);
}
