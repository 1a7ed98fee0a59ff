// FORKHOUND_OPTIONS="key=value:key=value", read by the library and by the command.
#pragma once

#include <stdbool.h>

struct text;

// In the order of the words in the table of keys.
enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum capture_mode { CAPTURE_AUTO, CAPTURE_PTRACE, CAPTURE_EXACT, CAPTURE_PROC, CAPTURE_OFF };
enum redirect_mode { REDIRECT_OFF, REDIRECT_LEARN, REDIRECT_LISTED, REDIRECT_AUTO, REDIRECT_HELP };

struct env_options {
  int verbosity;
  int max_threads;      // stacks taken at one fork, 1 to 10000
  int max_frames;       // frames of one stack, 1 to 256
  int stack_kb;         // copied of one stack, KiB, 4 to 1024
  int snapshot_budget;  // percent of wall time for the captures of later forks, 0 to 100
  enum capture_mode capture;
  int exitcode;  // 0 to 255; 0: leave it
  enum color color;
  bool print_suppressions, help;
  enum redirect_mode redirect;
  // "" for none.
  char log_path[512];  // %p is the pid
  char suppressions[512];
  char strip_path_prefix[512];
  char sites[512];
};

// Fills *options from `string` (NULL for the defaults). Each unknown key or bad value adds one line
// to *warnings that names it; the rest still count. Pure: safe in any thread.
void env_options_parse(struct env_options *options, const char *string, struct text *warnings);

// The table of keys, for help=1.
void env_options_help(struct text *t);
