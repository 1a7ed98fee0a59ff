// A task of the kernel polls a ring: the only other one (test_cli.py). 77 if there is no io_uring.
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *
end(void *unused)
{
  return unused;
}

int
main(void)
{
  pthread_t thread;
  struct io_uring_params parameters = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 60000};

  if (syscall(SYS_io_uring_setup, 4, &parameters) < 0)
    return 77;
  pthread_create(&thread, NULL, end, NULL);  // from now on threads are counted
  pthread_join(thread, NULL);
  pid_t child = fork();
  if (child == 0) {
    usleep(300000);  // longer than a child has to exec
    _exit(0);
  }
  return waitpid(child, NULL, 0) != child;
}
