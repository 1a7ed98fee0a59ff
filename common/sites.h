// The file of fork sites and their verdicts, readable and editable. Columns by blanks; `#` starts
// the reason; bytes of names that are blanks, '#' or '%' are written %XX:
//   allow    libuv.so.1+0x1f2a3   uv_spawn        # 12 forks, all exec'd
//   deny     myprog+0x1234        run_helper      # returned from the function that called fork
//   allow    libglib-2.0.so.0     g_spawn_*       # by hand: any offset
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct text;

enum site_verdict { SITE_NONE, SITE_ALLOW, SITE_DENY, SITE_UNKNOWN };  // NONE: not listed

struct site_rule {
  enum site_verdict verdict;
  char module[64];    // file name without its folder
  char function[96];  // a pattern of `*`; "-": unknown
  uint64_t offset;    // of the return address of the call of fork() in the module
  bool has_offset;
  char reason[160];
};

// One line into *rule. 1: a rule, 0: blank or comment, -1: bad; *error: what was expected.
int sites_parse_line(const char *line, struct site_rule *rule, const char **error);
void sites_format_line(struct text *t, const struct site_rule *rule);
bool sites_match(const struct site_rule *rule, const char *module, uint64_t offset,
                 const char *function);
