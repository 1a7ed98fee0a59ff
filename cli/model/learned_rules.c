#include "learned_rules.h"
#include "base/open_file.h"
#include "base/json_fields.h"
#include "base/message.h"
#include "common/text/text_buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES = 1024, MOST_SITES = 4096 };

static struct site_rule *
find(const struct learned *learned, const struct site_rule *site)
{
  for (size_t i = 0; i < learned->count; i++) {
    struct site_rule *s = &learned->sites[i];
    if (s->offset == site->offset && strcmp(s->module, site->module) == 0 &&
        sites_match(s, site->module, site->offset, site->function))
      return s;
  }
  return NULL;
}

static struct site_rule *
append(struct learned *learned, const struct site_rule *site)
{
  learned->sites = xrealloc(learned->sites, (learned->count + 1) * sizeof *learned->sites);
  learned->sites[learned->count] = *site;
  return &learned->sites[learned->count++];
}

void
learned_add(struct learned *learned, const json_t *event)
{
  const json_t *where = json_object_get(event, "site");
  const char *action = get_string(event, "action"), *module = get_string(where, "module");
  const char *offset = get_string(where, "offset"), *verdict = get_string(event, "verdict");
  if (!action || strcmp(action, "learned") != 0 || !module || !offset || !verdict)
    return;
  const char *function = get_string(where, "function"), *reason = get_string(event, "reason");
  struct site_rule site = {.verdict = sites_verdict(verdict), .has_offset = true, .learned = true};
  site.offset = strtoull(offset, NULL, 16);
  site.forks = site.verdict == SITE_ALLOW;
  snprintf(site.module, sizeof site.module, "%.63s", base_name(module));
  snprintf(site.function, sizeof site.function, "%s", function ? function : "-");
  snprintf(site.reason, sizeof site.reason, "%s", reason ? reason : "");
  struct site_rule *known = find(learned, &site);
  if (!known && learned->count == MOST_SITES)
    return;
  if (known)
    sites_add(known, &site);
  else
    known = append(learned, &site);
  sites_conclude(known);
}

void
learned_free(struct learned *learned)
{
  free(learned->sites);
  *learned = (struct learned){0};
}

void
learned_print(const struct learned *learned, FILE *out, bool verbose)
{
  unsigned counts[SITE_UNKNOWN + 1] = {0};
  for (size_t i = 0; i < learned->count; i++) {
    const struct site_rule *s = &learned->sites[i];
    counts[s->verdict]++;
    if (!verbose)
      continue;
    fputs("forkhound: the forks of ", out);
    put_escaped(out, s->function);
    fputs(" (", out);
    put_escaped(out, s->module);
    fprintf(out, "+0x%llx): %s: ", (unsigned long long)s->offset, sites_word(s->verdict));
    put_escaped(out, s->reason);
    fputc('\n', out);
  }
  if (learned->count == 0)
    return;
  fprintf(out, "forkhound: learned from %zu fork site%s: %u allow, %u deny, %u unknown%s\n",
          learned->count, learned->count == 1 ? "" : "s", counts[SITE_ALLOW], counts[SITE_DENY],
          counts[SITE_UNKNOWN], verbose ? "" : " (-v names them)");
  fflush(out);
}

static FILE *
open_sites(const char *path)
{
  FILE *file = open_stream(path, "r");
  if (!file && errno != ENOENT)
    die("--sites: %s: %m", path);
  return file;
}

static void
close_file(FILE *file, const char *path)
{
  if (ferror(file))
    die("--sites: %s: %m", path);
  fclose(file);
}

void
learned_check_file(const char *path)
{
  FILE *file = open_sites(path);
  char *line = NULL;
  size_t size = 0, number = 0;
  struct site_rule rule;
  const char *error;
  while (file && getline(&line, &size, file) >= 0) {
    number++;
    if (sites_parse_line(line, &rule, &error) < 0)
      message("%s:%zu: %s", path, number, error);
  }
  free(line);
  if (file)
    close_file(file, path);
}

static void
write_rule(FILE *out, const struct site_rule *rule)
{
  char bytes[LINE_BYTES];
  struct text text = {.bytes = bytes, .size = sizeof bytes};
  sites_format_line(&text, rule);
  fwrite(bytes, 1, text.length, out);
}

// A line of the old file into the new one. `done` says for each site that it needs no line more.
static void
merge_line(const struct learned *learned, const char *line, bool *done, FILE *out)
{
  struct site_rule rule;
  const char *error;
  bool written = false;
  int kind = sites_parse_line(line, &rule, &error);
  for (size_t i = 0; kind == 1 && i < learned->count; i++) {
    const struct site_rule *s = &learned->sites[i];
    if (rule.learned && rule.offset == s->offset && strcmp(rule.module, s->module) == 0) {
      // One that names another function is of an older build of the file, and is left out.
      if (!done[i] && sites_match(&rule, s->module, s->offset, s->function)) {
        sites_add(&rule, s);
        sites_conclude(&rule);
        write_rule(out, &rule);
        done[i] = true;
      }
      written = true;
    } else if (!rule.learned && sites_match(&rule, s->module, s->offset, s->function)) {
      done[i] = true;
    }
  }
  if (!written)
    fputs(line, out);
  if (!written && *line && line[strlen(line) - 1] != '\n')
    fputc('\n', out);
}

static void
merge(const struct learned *learned, FILE *old, FILE *out)
{
  bool *done = xrealloc(NULL, learned->count * sizeof *done);
  memset(done, 0, learned->count * sizeof *done);
  char *line = NULL;
  size_t size = 0;
  while (old && getline(&line, &size, old) >= 0)
    merge_line(learned, line, done, out);
  free(line);
  for (size_t i = 0; i < learned->count; i++) {
    if (!done[i])
      write_rule(out, &learned->sites[i]);
  }
  free(done);
}

void
learned_write_file(const struct learned *learned, const char *path)
{
  if (learned->count == 0)
    return;
  char *target = realpath(path, NULL);  // a link stays one
  char *temporary = xasprintf("%s.XXXXXX", target ? target : path);
  FILE *old = open_sites(path);
  struct stat st = {.st_mode = 0644};
  int fd = mkstemp(temporary);
  FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
  if (!out)
    die("--sites: %s: %m", temporary);
  if (old && fstat(fileno(old), &st))
    st.st_mode = 0644;
  fchmod(fd, st.st_mode & 07777);
  merge(learned, old, out);
  if (old)
    close_file(old, path);
  bool bad = ferror(out) | fflush(out) | fsync(fd);
  if (bad | fclose(out) || rename(temporary, target ? target : path)) {
    int error = errno;
    unlink(temporary);
    errno = error;
    die("--sites: %s: %m", path);
  }
  free(temporary);
  free(target);
}
