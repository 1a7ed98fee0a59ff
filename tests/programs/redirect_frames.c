// Forks from a function whose frame is found in the way named, at twelve depths of the stack and,
// but for the first, in twelve sizes (test_redirect.py). Usage: redirect_frames KIND [returns]:
//   fixed      by the stack pointer
//   grows      by the frame pointer: alloca()
//   realigned  by a word in it: it has a variable with an alignment of its own
// With "returns" the child returns from that function.
#include <alloca.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OF_CHILD = 7 };

static int returns, wrong;

static void *
idle(void *unused)
{
  pause();
  return unused;
}

static void
wait_for(pid_t child)
{
  int status = -1;

  if (waitpid(child, &status, 0) != child || status != (returns ? OF_CHILD << 8 : 0))
    wrong++;
}

#define FORK                                                                                       \
  do {                                                                                             \
    pid_t child = fork();                                                                          \
    if (child == 0 && returns)                                                                     \
      return OF_CHILD;                                                                             \
    if (child == 0) {                                                                              \
      execl("/bin/true", "true", (char *)NULL);                                                    \
      _exit(1);                                                                                    \
    }                                                                                              \
    wait_for(child);                                                                               \
  } while (0)

__attribute__((noinline)) static int
fixed(size_t unused)
{
  (void)unused;
  FORK;
  return 0;
}

__attribute__((noinline)) static int
grows(size_t size)
{
  char *room = alloca(size);

  memset(room, 1, size);
  FORK;
  return room[size - 1] - 1;
}

__attribute__((noinline)) static int
realigned(size_t size)
{
  _Alignas(64) volatile char line[64];
  char *room = alloca(size);

  memset(room, 1, size);
  line[3] = 1;
  FORK;
  return line[3] - room[size - 1];
}

__attribute__((noinline)) static int
deeper(int depth, int (*function)(size_t), size_t size)
{
  volatile char room[24];

  room[0] = 3;
  if (depth == 0)
    return function(size);
  int result = deeper(depth - 1, function, size);
  return result + room[0] - 3;
}

int
main(int argc, char **argv)
{
  const char *kind = argc > 1 ? argv[1] : "";
  int (*function)(size_t) = strcmp(kind, "fixed") == 0   ? fixed
                            : strcmp(kind, "grows") == 0 ? grows
                                                         : realigned;
  pthread_t thread;

  returns = argc > 2;
  pthread_create(&thread, NULL, idle, NULL);
  for (int i = 0; i < 12; i++) {
    int result = deeper(i, function, 100 + 17 * (size_t)i);
    if (result == OF_CHILD)
      _exit(OF_CHILD);
    wrong += result != 0;
  }
  printf("wrong %d\n", wrong);
  return 0;
}
