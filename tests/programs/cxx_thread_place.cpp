// A std::thread whose routine forks itself: nothing but libraries stands between it and its start.
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

static void
first_place()
{
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  waitpid(child, nullptr, 0);
}

int
main()
{
  std::thread(first_place).join();
}
