// FORKHOUND_OPTIONS="key=value:key=value".
#pragma once

#include <stdbool.h>

struct text;

enum capture_mode { CAPTURE_AUTO, CAPTURE_PTRACE, CAPTURE_EXACT, CAPTURE_PROC, CAPTURE_OFF };

struct options {
  int verbosity;
  int max_threads;      // stacks taken at one fork, 1 to 10000
  int max_frames;       // frames of one stack, 1 to 256
  int stack_kb;         // copied of one stack, KiB, 4 to 1024
  int snapshot_budget;  // percent of wall time for the captures of later forks, 0 to 100
  enum capture_mode capture;
  bool help;
  char log_path[512];  // "" for none; %p is the pid
};

// Fills *options from `string` (NULL for the defaults). Each unknown key or bad value adds one line
// to *warnings that names it; the rest still count. Pure: safe in any thread.
void options_parse(struct options *options, const char *string, struct text *warnings);

// The table of keys, for help=1.
void options_help(struct text *t);
