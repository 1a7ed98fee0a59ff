#include "os/nofault.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

static unsigned char *
two_pages(void)
{
  unsigned char *pages =
      mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  cr_assert_neq(pages, MAP_FAILED);
  memset(pages, 7, 2 * PAGE);
  return pages;
}

// A task whose handlers are its own: here a child.
static int
status_of(void (*function)(void))
{
  int status;
  pid_t child = fork();

  if (child == 0) {
    nofault_start();
    function();
    _exit(0);
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  return status;
}

static void
check(bool right)
{
  if (!right)
    _exit(2);
}

static void
copies(void)
{
  static unsigned char to[2 * PAGE];
  unsigned char *pages = two_pages();
  uint64_t address = (uint64_t)(uintptr_t)pages;

  check(nofault_copy(to, sizeof to, address) == sizeof to);
  check(to[0] == 7 && to[2 * PAGE - 1] == 7);
  check(nofault_copy(to, 0, address) == 0);
  memset(to, 0, sizeof to);
  mprotect(pages + PAGE, PAGE, PROT_NONE);
  check(nofault_copy(to, 100, address + PAGE - 60) == 60);
  check(to[59] == 7 && to[60] == 0);
  munmap(pages + PAGE, PAGE);
  check(nofault_copy(to, 2 * PAGE, address) == PAGE);
  check(nofault_copy(to, 8, address + PAGE) == 0);
  check(nofault_copy(to, 8, 0) == 0);
  check(nofault_copy(to, 8, UINT64_MAX - 3) == 0);
  check(nofault_copy(to, 8, 1ul << 63 | 4096) == 0);
  check(nofault_copy(to, PAGE, address) == PAGE);
}

// SIGBUS.
static void
copies_a_cut_file(void)
{
  unsigned char to[2 * PAGE];
  int fd = memfd_create("cut", 0);

  check(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
  void *file = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
  check(file != MAP_FAILED && ftruncate(fd, PAGE) == 0);
  check(nofault_copy(to, sizeof to, (uint64_t)(uintptr_t)file) == PAGE);
}

static void
faults_elsewhere(void)
{
  unsigned char *pages = two_pages();

  munmap(pages, 2 * PAGE);
  *(volatile unsigned char *)pages = 1;
}

Test(nofault, copies)
{
  cr_expect_eq(status_of(copies), 0);
  cr_expect_eq(status_of(copies_a_cut_file), 0);
}

Test(nofault, ends_the_task_for_another_fault)
{
  int status = status_of(faults_elsewhere);

  cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%#x", status);
}
