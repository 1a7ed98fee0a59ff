// The child of a multithreaded process throws through the function that called fork, and execs where
// it is caught: it cannot borrow its parent's memory. Exits with 0 if the exception arrives.
#include <pthread.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

static void *
idle(void *unused)
{
  pause();
  return unused;
}

static __attribute__((noinline)) pid_t
fork_here(int *destroyed)
{
  struct count {
    int *to;
    ~count()
    {
      ++*to;
    }
  } counter{destroyed};
  pid_t pid = fork();
  if (pid == 0)
    throw std::runtime_error("in the child");
  return pid;
}

int
main()
{
  pthread_t thread;
  int status = 0, destroyed = 0;
  pid_t pid = 0;

  pthread_create(&thread, nullptr, idle, nullptr);
  try {
    pid = fork_here(&destroyed);
  } catch (const std::runtime_error &) {
    if (destroyed == 1)
      execl("/bin/true", "true", (char *)nullptr);
    _exit(1);
  }
  return waitpid(pid, &status, 0) == pid && status == 0 && destroyed == 1 ? 0 : 2;
}
