// Exceptions thrown in many threads while others fork, and in the children: libunwind must not get
// in the way of libgcc's unwinder.
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

static __attribute__((noinline)) int
thrown(int depth)
{
  if (depth == 0)
    throw std::runtime_error("thrown");
  return thrown(depth - 1) + 1;
}

static int
caught(int times)
{
  int n = 0;
  for (int i = 0; i < times; i++) {
    try {
      thrown(i % 20);
    } catch (const std::exception &e) {
      n += std::string(e.what()) == "thrown";
    }
  }
  return n;
}

static void *
thrower(void *)
{
  return caught(20000) == 20000 ? nullptr : (void *)1;
}

int
main()
{
  pthread_t threads[8];
  int bad = 0;

  for (auto &t : threads)
    pthread_create(&t, nullptr, thrower, nullptr);
  for (int i = 0; i < 20; i++) {
    int status = 1;
    pid_t child = fork();
    if (child == 0)
      _exit(caught(100) == 100 ? 0 : 1);
    waitpid(child, &status, 0);
    bad += status != 0;
  }
  for (auto &t : threads) {
    void *result;
    pthread_join(t, &result);
    bad += result != nullptr;
  }
  return bad + (caught(100) != 100);
}
