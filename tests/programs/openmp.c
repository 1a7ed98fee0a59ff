// A parallel region, a fork, and a parallel region in the child, whose team has no threads there
// (test_suspect.py).
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int
count(void)
{
  int threads = 0;

#pragma omp parallel reduction(+ : threads)
  threads++;
  return threads;
}

int
main(void)
{
  int before = count();
  pid_t child = fork();
  if (child == 0)
    _exit(count() != before);
  waitpid(child, NULL, 0);
  return 0;
}
