// userfaultfd in its asynchronous write-protect mode: a write costs one page fault and goes on.
// Only the child's own page tables are marked, so what threads of the parent write meanwhile is not
// seen here: where soft-dirty bits are often not compiled in, and the exclusive bit of
// /proc/PID/pagemap changes whichever side writes.
#include "write_tracking.h"

#include "mappings.h"
#include "raw_syscall.h"
#include "userfaultfd_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/resource.h>

// High, so that the program gets the numbers it would get without us; not so high that the kernel
// enlarges the table of descriptors.
enum { FIRST_NUMBER = 1000, REGIONS = 64 };

static const uint64_t ADDRESSES_END = 0x7ffffffff000;  // Documentation/arch/x86/x86_64/mm.rst

static int faults = -1, pages = -1;  // userfaultfd, /proc/self/pagemap

static long
move_up(long fd)
{
  struct rlimit limit = {.rlim_cur = 0};

  if (fd < 0)
    return fd;
  RAW(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
  uint64_t most = limit.rlim_cur > FIRST_NUMBER + 2 ? FIRST_NUMBER + 2 : limit.rlim_cur;
  long high = most > 2 ? RAW(SYS_fcntl, fd, F_DUPFD_CLOEXEC, most - 2) : -EINVAL;
  if (high < 0)
    return fd;
  RAW(SYS_close, fd);
  return high;
}

static long
open_both(void)
{
  struct uffdio_api api = {.api = UFFD_API, .features = FH_UFFD_FEATURE_WP_ASYNC};
  long fd = move_up(RAW(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));

  if (fd < 0)
    return fd;
  faults = (int)fd;
  long error = RAW(SYS_ioctl, faults, UFFDIO_API, &api);
  if (error < 0)
    return error;
  fd = move_up(RAW(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0));
  if (fd < 0)
    return fd;
  pages = (int)fd;
  return 0;
}

// The next stretch of private writable mappings from *i on: most of the cost is in the calls.
static bool
next_stretch(const struct mappings *m, int *i, uint64_t *start, uint64_t *end)
{
  while (*i < m->count && (!m->at[*i].writable || m->at[*i].shared))
    ++*i;
  if (*i == m->count)
    return false;
  *start = *end = m->at[*i].start;
  for (; *i < m->count && m->at[*i].start == *end && m->at[*i].writable && !m->at[*i].shared; ++*i)
    *end = m->at[*i].end;
  return true;
}

static long
register_all(const struct mappings *m)
{
  struct uffdio_register r = {.mode = UFFDIO_REGISTER_MODE_WP};
  uint64_t start, end;

  for (int i = 0; next_stretch(m, &i, &start, &end);) {
    r.range.start = start;
    r.range.len = end - start;
    long error = RAW(SYS_ioctl, faults, UFFDIO_REGISTER, &r);
    if (error < 0)
      return error;
  }
  return 0;
}

// Not UFFDIO_WRITEPROTECT: that would fill the page tables of all that was never touched.
static long
protect_all(void)
{
  struct pagemap_scan scan = {
      .size = sizeof scan,
      .flags = PAGEMAP_WP_MATCHING,
      .end = ADDRESSES_END,
      .category_anyof_mask = PAGE_PRESENT | PAGE_SWAPPED,
  };
  return RAW(SYS_ioctl, pages, FH_PAGEMAP_SCAN, &scan);
}

long
write_watch_start(const struct mappings *mappings)
{
  long error = open_both();

  if (error == 0)
    error = register_all(mappings);
  if (error == 0)
    error = protect_all();
  if (error < 0)
    write_watch_stop();
  return error < 0 ? error : 0;
}

struct scan {
  struct pagemap_scan scan;
  struct pagemap_region regions[REGIONS];
};

// The next ranges from scan->scan.start on; -1 if they cannot be had.
static long
next_ranges(struct scan *s)
{
  s->scan.size = sizeof s->scan;
  s->scan.regions = (uint64_t)(uintptr_t)s->regions;
  s->scan.region_count = REGIONS;
  s->scan.return_mask = PAGE_WRITTEN;
  if (s->scan.start >= s->scan.end)
    return 0;
  long n = RAW(SYS_ioctl, pages, FH_PAGEMAP_SCAN, &s->scan);
  s->scan.start = s->scan.walk_end;
  return n;
}

// Of pages without the mark those that are there and are the process's own: one that was only read
// since is the file's or the zero page.
static bool
each_written(uint64_t start, uint64_t end,
             bool (*visit)(uint64_t start, uint64_t end, void *argument), void *argument)
{
  struct scan s = {.scan = {.start = start,
                            .end = end,
                            .category_mask = PAGE_WRITTEN | PAGE_FILE | PAGE_PFNZERO,
                            .category_inverted = PAGE_FILE | PAGE_PFNZERO,
                            .category_anyof_mask = PAGE_PRESENT | PAGE_SWAPPED}};
  long n;

  while ((n = next_ranges(&s)) > 0) {
    for (long i = 0; i < n; i++) {
      if (!visit(s.regions[i].start, s.regions[i].end, argument))
        return false;
    }
  }
  return true;
}

// To ask for this alone is many times faster: the kernel looks at no page for it
// (fs/proc/task_mmu.c, pagemap_scan_pmd_entry()).
static bool
each_unmarked(uint64_t start, uint64_t end,
              bool (*visit)(uint64_t start, uint64_t end, void *argument), void *argument)
{
  struct scan s = {.scan = {.start = start, .end = end, .category_mask = PAGE_WRITTEN}};
  long n;

  while ((n = next_ranges(&s)) > 0) {
    for (long i = 0; i < n; i++) {
      if (!each_written(s.regions[i].start, s.regions[i].end, visit, argument))
        return false;
    }
  }
  return true;
}

bool
write_watch_each(const struct mappings *mappings,
                 bool (*visit)(uint64_t start, uint64_t end, void *argument), void *argument)
{
  struct uffdio_api api = {.api = UFFD_API};
  uint64_t start, end;

  // A second handshake is refused (fs/userfaultfd.c), by another kind of file in another way.
  if (faults < 0 || RAW(SYS_ioctl, faults, UFFDIO_API, &api) != -EINVAL)
    return false;
  for (int i = 0; next_stretch(mappings, &i, &start, &end);) {
    if (!each_unmarked(start, end, visit, argument))
      break;
  }
  return true;
}

void
write_watch_stop(void)
{
  if (pages >= 0)
    RAW(SYS_close, pages);
  if (faults >= 0)
    RAW(SYS_close, faults);
  pages = faults = -1;
}

bool
write_watch_on(void)
{
  return faults >= 0;
}

bool
write_watch_keeps(int fd)
{
  return fd >= 0 && (fd == faults || fd == pages);
}

int
write_watch_around(unsigned int first, unsigned int last,
                   int (*visit)(unsigned int first, unsigned int last, int flags), int flags)
{
  unsigned int kept[2] = {(unsigned int)faults, (unsigned int)pages};

  if (faults < 0)
    return visit(first, last, flags);
  if (kept[0] > kept[1]) {
    kept[0] = (unsigned int)pages;
    kept[1] = (unsigned int)faults;
  }
  for (int i = 0; i < 2; i++) {
    if (kept[i] < first || kept[i] > last)
      continue;
    if (kept[i] > first && visit(first, kept[i] - 1, flags) < 0)
      return -1;
    if (kept[i] == last)
      return 0;
    first = kept[i] + 1;
  }
  return visit(first, last, flags);
}
