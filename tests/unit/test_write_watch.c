#include "footprint/write_tracking.h"

#include "footprint/mappings.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 8, BYTES = 1 << 20, WRITTEN = 3, NEW = 5, READ = 6, CANNOT = 77 };

static unsigned char memory[BYTES];
static unsigned char *pages;
static bool seen[PAGES];

static bool
note(uint64_t start, uint64_t end, void *argument)
{
  (void)argument;
  for (uint64_t at = start; at < end; at += PAGE) {
    uint64_t i = (at - (uint64_t)(uintptr_t)pages) / PAGE;
    if (i < PAGES)
      seen[i] = true;
  }
  return true;
}

// Pages 0 to 4 were written by the parent; of the others one is written, one is read.
static int
watched_child(void)
{
  struct mappings *m = mappings_read(memory, sizeof memory);

  if (!m || write_watch_start(m) < 0)
    return CANNOT;
  pages[WRITTEN * PAGE] = 1;
  pages[NEW * PAGE] = 1;
  if (((volatile unsigned char *)pages)[READ * PAGE] != 0)
    return 1;
  if (!write_watch_on() || !write_watch_each(m, note, NULL))
    return 2;
  for (int i = 0; i < PAGES; i++) {
    if (seen[i] != (i == WRITTEN || i == NEW))
      return 10 + i;
  }
  return 0;
}

static int
closing_child(void)
{
  struct mappings *m = mappings_read(memory, sizeof memory);

  if (!m || write_watch_start(m) < 0)
    return CANNOT;
  for (int fd = 3; fd < 1100; fd++)
    close(fd);
  return write_watch_each(m, note, NULL) ? 1 : 0;
}

// The watch is for a process with one thread.
static void
expect_in_child(int (*child)(void))
{
  int status = 0;

  pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < NEW; i++)
    pages[i * PAGE] = 1;
  pid_t pid = fork();
  if (pid == 0)
    _exit(child());
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  if (status == CANNOT << 8)
    cr_skip("this kernel does not track writes");
  cr_expect_eq(status, 0, "status %x", (unsigned)status);
}

Test(write_watch, sees_the_pages_written)
{
  expect_in_child(watched_child);
}

Test(write_watch, tells_when_it_is_lost)
{
  expect_in_child(closing_child);
}

static unsigned int parts[8];
static int part_count;

static int
collect(unsigned int first, unsigned int last, int flags)
{
  (void)flags;
  parts[part_count++] = first;
  parts[part_count++] = last;
  return 0;
}

Test(write_watch, without_it_a_range_is_whole)
{
  cr_expect_eq(write_watch_around(3, ~0u, collect, 0), 0);
  cr_expect_eq(part_count, 2);
  cr_expect_eq(parts[0], 3);
  cr_expect_eq(parts[1], ~0u);
}
