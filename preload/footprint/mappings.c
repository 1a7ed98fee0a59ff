#include "mappings.h"

#include "os/descriptor.h"
#include "raw_syscall.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

// The text fills the upper half of the memory, the list the lower one.
static char *
read_text(char *text, size_t size, bool *whole)
{
  size_t length = 0;
  long n = 0, fd = descriptor_open("/proc/self/maps", O_RDONLY);

  if (fd < 0)
    return NULL;
  while (length < size - 1 && (n = RAW(SYS_read, fd, text + length, size - 1 - length)) > 0)
    length += (size_t)n;
  descriptor_close(fd);
  *whole = n == 0;
  text[length] = 0;
  return text;
}

// proc(5): start-end perms offset device inode path
static void
read_line(char *line, struct mapping *m)
{
  char *rest;

  m->start = strtoull(line, &rest, 16);
  m->end = strtoull(rest + 1, &rest, 16);
  const char *permissions = rest + 1;
  m->readable = permissions[0] == 'r';
  m->writable = permissions[1] == 'w';
  m->executable = permissions[2] == 'x';
  m->shared = permissions[3] == 's';
  m->base = m->start - strtoull(permissions + 5, &rest, 16);
  char *name = strpbrk(rest, "/[");
  m->name = name ? name : "";
}

struct mappings *
mappings_read(void *memory, size_t size)
{
  struct mappings *m = memory;
  bool whole = false;
  char *text = read_text((char *)memory + size / 2, size - size / 2, &whole);
  int most = (int)((size / 2 - sizeof *m) / sizeof m->at[0]);

  if (!text)
    return NULL;
  m->count = 0;
  m->whole = whole;
  while (*text) {
    char *end = strchr(text, '\n');
    if (!end || m->count == most) {
      m->whole = false;
      break;
    }
    *end = 0;
    read_line(text, &m->at[m->count++]);
    text = end + 1;
  }
  return m;
}

const struct mapping *
mappings_find(const struct mappings *m, uint64_t address)
{
  int low = 0, high = m->count;

  while (low < high) {
    int middle = (low + high) / 2;
    if (m->at[middle].end <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low < m->count && m->at[low].start <= address ? &m->at[low] : NULL;
}

static int
permissions(const struct mapping *m)
{
  return m->readable | m->writable << 1 | m->executable << 2 | m->shared << 3 | 16;
}

// The kernel may split or join neighbours, so it is the address space that is compared.
uint64_t
mappings_difference(const struct mappings *a, const struct mappings *b, uint64_t low, uint64_t high)
{
  uint64_t at = 0;

  for (int i = 0, k = 0; i < a->count || k < b->count;) {
    const struct mapping *x = i < a->count ? &a->at[i] : NULL;
    const struct mapping *y = k < b->count ? &b->at[k] : NULL;
    bool in_x = x && at >= x->start, in_y = y && at >= y->start;
    uint64_t end = UINT64_MAX;  // of the stretch that begins here
    if (x && (in_x ? x->end : x->start) < end)
      end = in_x ? x->end : x->start;
    if (y && (in_y ? y->end : y->start) < end)
      end = in_y ? y->end : y->start;
    if ((in_x ? permissions(x) : 0) != (in_y ? permissions(y) : 0) && !(at >= low && end <= high))
      return at;
    at = end;
    if (in_x && at >= x->end)
      i++;
    if (in_y && at >= y->end)
      k++;
  }
  return 0;
}
