// The options of `forkhound run` and `forkhound report`.
#pragma once

#include "common/config/env_options.h"

#include <stdbool.h>
#include <stddef.h>

enum level { LEVEL_NONE, LEVEL_HAZARD, LEVEL_SUSPECT, LEVEL_DEADLOCK, LEVEL_NEVER };
// What becomes of a stuck child after its report.
enum stuck_action { STUCK_KILL, STUCK_REPORT, STUCK_STOP };

struct options {
  const char *log;        // NULL: none; %p not yet expanded
  bool text, json;        // which reports to write
  const char *text_file;  // NULL: the default stream
  const char *json_file;
  enum level fail_on;
  int error_exitcode;
  enum color color;
  bool quiet, verbose;
  double time_limit;  // seconds; 0: none
  enum stuck_action on_deadlock, on_suspect;
  double stuck_after;             // seconds
  double grace;                   // seconds; 0: a command whose children were ended goes on
  const char *redirect_python;    // a start method of multiprocessing; NULL: leave it
  const char *strip_path_prefix;  // "": none
  const char **suppressions;      // files, in their order
  size_t suppressions_count;
  enum redirect_mode redirect;
  bool redirect_given, sites_given;  // on the command line
  const char *sites;                 // "": none
  bool print_suppressions;           // how often each of them fitted
  bool gen_suppressions;             // report: print lines for them instead of a text report
  char **command;                    // run: COMMAND and its arguments; diagnose: the PIDs
  const char *input;                 // report: FILE
};

// What FORKHOUND_OPTIONS says holds where the command line is silent. argv[0] is the subcommand's
// name. Ends the program with one line and 125 on a bad option; with the help and 0 on
// --help.
void parse_run_options(int argc, char **argv, struct options *options);
void parse_diagnose_options(int argc, char **argv, struct options *options);
void parse_report_options(int argc, char **argv, struct options *options);

// "off", "learn" and so on.
const char *redirect_word(enum redirect_mode mode);

// Copy of `pattern` with %p replaced by the pid of this process and %% by %.
char *expand_file_name(const char *pattern);
