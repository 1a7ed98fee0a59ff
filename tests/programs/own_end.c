// The child of a process with a thread waits for data, in the way named, on something whose other
// end it has itself (test_suspect.py). With "elsewhere" its parent has the other end too, with
// "handler" a signal handler of its own writes to it.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *kind, *variant;
static int ends[2];

static int
is(const char *name)
{
  return strcmp(kind, name) == 0;
}

static void
make_ends(void)
{
  if (is("eventfd"))
    ends[0] = ends[1] = eventfd(0, 0);
  else if (is("socketpair") || is("timeout"))
    (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  else
    (void)!pipe(ends);
}

static void
on_signal(int number)
{
  (void)number;
  (void)!write(ends[1], "12345678", 8);
}

static void *
sleeper(void *unused)
{
  pause();
  return unused;
}

static __attribute__((noinline)) void
wait_in_child(void)
{
  char bytes[8];

  if (is("poll") || is("poll_timed")) {
    struct pollfd wanted = {ends[0], POLLIN, 0};
    while (poll(&wanted, 1, is("poll") ? -1 : 3000) < 0)
      ;
  } else if (is("select")) {
    fd_set set;
    do {
      FD_ZERO(&set);
      FD_SET(ends[0], &set);
    } while (select(ends[0] + 1, &set, NULL, NULL, NULL) < 0 && errno == EINTR);
  } else if (is("epoll")) {
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
    if (epoll_wait(epoll, &event, 1, -1) < 0 && strcmp(variant, "handler") != 0)
      _exit(3);  // a look at the process has ended its wait
  } else {
    if (is("timeout")) {
      const struct timeval three = {3, 0};
      setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &three, sizeof three);
    }
    (void)!read(ends[0], bytes, 8);
  }
}

int
main(int argc, char **argv)
{
  pthread_t thread;
  int status;

  kind = argc > 1 ? argv[1] : "pipe";
  variant = argc > 2 ? argv[2] : "";
  pthread_create(&thread, NULL, sleeper, NULL);
  int elsewhere = strcmp(variant, "elsewhere") == 0;
  if (elsewhere)
    make_ends();
  pid_t child = fork();
  if (child == 0) {
    if (!elsewhere)
      make_ends();
    if (strcmp(variant, "handler") == 0)
      signal(SIGUSR1, on_signal);
    wait_in_child();
    _exit(0);
  }
  usleep(2500000);
  if (elsewhere)
    (void)!write(ends[1], "12345678", 8);
  else if (strcmp(variant, "handler") == 0)
    kill(child, SIGUSR1);
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
