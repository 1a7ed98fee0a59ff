// A C++ lock of the kind named is held by a thread at the fork, or waits for one that does not
// exist in the child (test_deadlock.py).
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <cstring>
#include <future>
#include <latch>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

static std::mutex mutex;
static std::recursive_mutex recursive;
static std::shared_mutex shared;
static std::binary_semaphore semaphore(0);
static std::atomic<int> word(0), ready(0);
static std::promise<int> promise;
static std::condition_variable condition;
static std::latch latch(2);
static std::barrier barrier(2);
static std::atomic<char> character(0);
static const char *kind;

struct slow {
  slow()
  {
    ready = 1;
    pause();
  }
};

static slow &
made_once()
{
  static slow instance;
  return instance;
}

static bool
is(const char *name)
{
  return strcmp(kind, name) == 0;
}

static void
hold()
{
  if (is("mutex"))
    mutex.lock();
  else if (is("recursive"))
    recursive.lock();
  else if (is("shared_by_reader"))
    shared.lock_shared();
  else if (is("shared_write") || is("shared_read"))
    shared.lock();
  else if (is("guard"))
    made_once();
  ready = 1;
  pause();
}

static __attribute__((noinline)) void
wait_in_child()
{
  if (is("mutex")) {
    mutex.lock();
  } else if (is("recursive")) {
    recursive.lock();
  } else if (is("shared_read")) {
    shared.lock_shared();
  } else if (is("shared_write") || is("shared_by_reader")) {
    shared.lock();
  } else if (is("guard")) {
    made_once();
  } else if (is("semaphore")) {
    semaphore.acquire();
  } else if (is("atomic")) {
    word.wait(0);
  } else if (is("future")) {
    promise.get_future().get();
  } else if (is("condition")) {
    std::unique_lock<std::mutex> lock(mutex);
    condition.wait(lock);
  } else if (is("latch")) {
    latch.wait();
  } else if (is("barrier")) {
    barrier.arrive_and_wait();
  } else if (is("character")) {
    character.wait(0);
  }
}

int
main(int argc, char **argv)
{
  kind = argc > 1 ? argv[1] : "mutex";
  std::thread thread(hold);
  while (!ready)
    std::this_thread::yield();
  pid_t child = fork();
  if (child == 0) {
    wait_in_child();
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}
