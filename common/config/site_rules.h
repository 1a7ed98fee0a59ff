// The file of fork sites and their verdicts, readable and editable:
//   allow    libuv.so.1+0x1f2a3   uv_spawn     # learned allow: 12 forks, all exec'd
//   deny     myprog+0x1234        run_helper   # learned deny: wrote `counter` (myprog+0x40a0)
//   allow    libglib-2.0.so.0     g_spawn_*    # by hand: any offset
// Columns by blanks; a fork site is the return address of a call of fork() in a file. `#` starts a
// comment. Bytes of names that are blanks, '#', '%' or control characters are written as %XX.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct text;

enum site_verdict { SITE_NONE, SITE_ALLOW, SITE_DENY, SITE_UNKNOWN };  // NONE: not listed

struct site_rule {
  enum site_verdict verdict;
  char module[64];    // file name without folder
  char function[96];  // the function that calls fork, or a pattern of `*`; "-": not known
  uint64_t offset;    // an address as in the file
  bool has_offset;
  bool learned;      // written by forkhound, and its verdict not edited since
  unsigned forks;    // that a learned rule was learned from
  char reason[160];  // without the mark of a learned rule
};

// "allow", "deny", "unknown", or "" for SITE_NONE.
const char *sites_word(enum site_verdict verdict);
enum site_verdict sites_verdict(const char *word);  // SITE_NONE: no such word

// One line, with or without its newline, into *rule. 1: a rule, 0: blank or a comment, -1: bad, and
// *error is what was expected (static text).
int sites_parse_line(const char *line, struct site_rule *rule, const char **error);

// The rule as a line with its newline.
void sites_format_line(struct text *t, const struct site_rule *rule);

// Whether the rule speaks of this site. Where both know the function it must fit, also for a rule
// with an offset: the file may have been built anew since.
bool sites_match(const struct site_rule *rule, const char *module, uint64_t offset,
                 const char *function);

// Which of two rules for the same site holds, `a` or `b`: one with an offset before one without, by
// hand before learned, deny before unknown before allow, `a` before its like.
const struct site_rule *sites_stronger(const struct site_rule *a, const struct site_rule *b);

// Adds what was learned later, of the same site, to a learned rule.
void sites_add(struct site_rule *rule, const struct site_rule *later);

// Gives a learned rule its verdict and, if it is not a denial, its reason: from `forks` that were
// all safe on it is allowed.
void sites_conclude(struct site_rule *rule);

enum { SITES_FORKS = 3 };  // forks that are needed to allow a site
