#include "help.h"
#include "common/config/env_options.h"
#include "common/config/builtin_site_rules.h"
#include "common/text/text_buffer.h"

#include <stdio.h>
#include <string.h>

static const char general_help[] =
    "Usage: forkhound run [OPTION...] [--] COMMAND [ARG...]\n"
    "       forkhound diagnose [OPTION...] PID...\n"
    "       forkhound report [OPTION...] EVENTS.jsonl\n"
    "       forkhound --help | --version | help TOPIC\n"
    "\n"
    "Find the forks of multithreaded processes, and the children that run on in such\n"
    "a copy.\n"
    "\n"
    "  run            run COMMAND and report its hazardous forks\n"
    "  diagnose       prove that processes that hang already are deadlocked\n"
    "  report         render the log of an earlier run again\n"
    "  help TOPIC     the options of a command: run, diagnose, report; or those of the\n"
    "                 environment: options\n"
    "  -h, --help     print this help\n"
    "  -V, --version  print the version\n"
    "\n";

static const char run_help[] =
    "Usage: forkhound run [OPTION...] [--] COMMAND [ARG...]\n"
    "\n"
    "Run COMMAND with libforkhound preloaded and report each place where a process\n"
    "with several threads forks a child that runs on without exec.\n"
    "\n"
    "  --log FILE            write every event to FILE, one JSON object a line; %p in\n"
    "                        FILE is forkhound's pid\n"
    "  --report FORMAT[:FILE]\n"
    "                        text (the default) or json, to FILE or stderr; may be\n"
    "                        given once for each format\n"
    "  --fail-on LEVEL       deadlock (the default), suspect, hazard or never: the\n"
    "                        least finding that makes the exit status that of\n"
    "                        --error-exitcode\n"
    "  --error-exitcode N    that exit status, 1 to 255 (default 66)\n"
    "  --on-deadlock ACTION  kill (the default) the stuck child, after its report;\n"
    "                        stop it, for a debugger; or only report\n"
    "  --on-suspect ACTION   the same of a child that is suspected (default report)\n"
    "  --stuck-after SECONDS examine a child that has been in one wait for so long\n"
    "                        (default 1)\n"
    "  --grace SECONDS       end a command that after a stuck child was ended does\n"
    "                        nothing for so long (default 30; 0: never)\n"
    "  --redirect=MODE       off (the default), learn, listed or auto: which forks of\n"
    "                        processes with several threads borrow the parent's\n"
    "                        memory until exec; help prints the built-in list\n"
    "  --sites FILE          what is known of the places that fork; learn and auto\n"
    "                        write it\n"
    "  --suppressions FILE   leave out findings that fit a line of FILE\n"
    "                        (see docs/suppressions.md)\n"
    "  --redirect-python METHOD\n"
    "                        spawn or forkserver: how multiprocessing starts\n"
    "                        processes in Python programs that choose no method\n"
    "                        (see docs/python.md)\n"
    "  --time-limit SECONDS  end the command and all its descendants after SECONDS;\n"
    "                        0 (the default): never\n"
    "  --color WHEN          auto (the default), always or never\n"
    "  -q, --quiet           print the summary line only\n"
    "  -v, --verbose         report forks followed by exec too, notes, and always the\n"
    "                        summary line\n"
    "  -h, --help            print this help\n"
    "\n"
    "Exit status: the command's own, 128+N if signal N ended it; that of\n"
    "--error-exitcode if a finding reached --fail-on or the command was ended after\n"
    "deadlocks (--grace); else 124 if the time limit ended it;\n"
    "125 if forkhound itself failed; 126 if COMMAND cannot be executed; 127 if it\n"
    "cannot be found.\n"
    "\n"
    "Environment: FORKHOUND_OPTIONS: see 'forkhound help options'; FORKHOUND_LIBRARY\n"
    "is the path of libforkhound, if it is not where it was installed; TMPDIR is\n"
    "where the run directory is made (default /tmp); NO_COLOR turns --color auto off.\n";

static const char diagnose_help[] =
    "Usage: forkhound diagnose [OPTION...] PID...\n"
    "\n"
    "Look at processes that run already, and at all below them: is one deadlocked, on\n"
    "which lock, and which thread of its parent owns that? They stop for some\n"
    "milliseconds.\n"
    "\n"
    "  --json                print the findings as events, one JSON object a line\n"
    "  --stuck-after SECONDS how long to watch for a wait that does not end (default 1)\n"
    "  --error-exitcode N    the exit status when a deadlock is proven, 1 to 255\n"
    "                        (default 66)\n"
    "  -h, --help            print this help\n"
    "\n"
    "Exit status: 0 if nothing is deadlocked; 125 if a process could not be examined.\n";

static const char report_help[] =
    "Usage: forkhound report [OPTION...] EVENTS.jsonl\n"
    "\n"
    "Render a log that `forkhound run --log` or the library wrote.\n"
    "\n"
    "  --report FORMAT[:FILE]\n"
    "                        text (the default) or json, to FILE or stdout; may be\n"
    "                        given once for each format\n"
    "  --suppressions FILE   leave out findings that fit a line of FILE\n"
    "                        (see docs/suppressions.md)\n"
    "  --gen-suppressions    print a line for each finding that would leave it out,\n"
    "                        instead of the text report\n"
    "  --color WHEN          auto (the default), always or never\n"
    "  -q, --quiet           print the summary line only\n"
    "  -v, --verbose         report forks followed by exec too, and notes\n"
    "  -h, --help            print this help\n"
    "\n"
    "Exit status: 0; 125 if the file cannot be read or holds no event but broken lines.\n";

static void
print(void (*help)(struct text *))
{
  char bytes[8192];
  struct text text = {.bytes = bytes, .size = sizeof bytes};
  help(&text);
  fwrite(bytes, 1, text.length, stdout);
}

void
print_redirect_help(void)
{
  print(sites_help);
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
    print(env_options_help);
  else
    return false;
  if (!topic)
    fputs("\nSee `forkhound help diagnose` and `forkhound help report` for their options.\n",
          stdout);
  return true;
}
