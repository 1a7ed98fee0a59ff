// truth: forks=5 threads=10 entry=fork sites=5
// No wait of another thread may end because of a fork: exit status 1 if one did.
#include "asleep.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic int ended;
static pthread_barrier_t started;
static int quiet[2], sockets[2], epoll, semaphores;
static sem_t semaphore;

#define WAIT(name, call)                                                                           \
  static void *name(void *unused)                                                                  \
  {                                                                                                \
    pthread_barrier_wait(&started);                                                                \
    long result = (long)(call);                                                                    \
    fprintf(stderr, #name " ended: %ld %s\n", result, strerrorname_np(errno));                     \
    ended++;                                                                                       \
    return unused;                                                                                 \
  }

static struct pollfd polled;
static struct epoll_event happened;
static char byte, much[1 << 20];
static sigset_t signals;
static const struct timespec minute = {60, 0};
static struct sembuf take = {0, -1, 0};

WAIT(in_poll, poll(&polled, 1, -1))
WAIT(in_epoll, epoll_wait(epoll, &happened, 1, -1))
WAIT(in_epoll_timed, epoll_wait(epoll, &happened, 1, 60000))
WAIT(in_read, read(quiet[0], &byte, 1))
WAIT(in_recv_timed, recv(sockets[0], &byte, 1, 0))
WAIT(in_sigtimedwait, sigtimedwait(&signals, NULL, &minute))
WAIT(in_semop, semop(semaphores, &take, 1))
WAIT(in_sem_wait, sem_wait(&semaphore))
WAIT(in_write, write(quiet[1], much, sizeof much))

static __attribute__((noinline)) int
fork_at_depth(int depth)
{
  char frame[64];
  int status = 0;

  memset(frame, depth, sizeof frame);
  __asm__ volatile("" : : "r"(frame) : "memory");
  if (depth > 0) {
    status = fork_at_depth(depth - 1);
  } else {
    pid_t child = fork();
    if (child == 0)
      _exit(0);
    waitpid(child, &status, 0);
  }
  __asm__ volatile("" : : "r"(frame) : "memory");
  return status;
}

int
main(void)
{
  void *(*const waits[])(void *) = {in_poll,       in_epoll,        in_epoll_timed,
                                    in_recv_timed, in_sigtimedwait, in_semop,
                                    in_sem_wait,   in_read,         in_write};
  enum { WAITS = sizeof waits / sizeof waits[0] };
  const struct timeval timeout = {60, 0};
  pthread_t thread;
  int other[2];

  if (pipe(quiet) != 0 || pipe(other) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0)
    return 1;
  setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  polled = (struct pollfd){other[0], POLLIN, 0};
  quiet[0] = other[0];
  epoll = epoll_create1(0);
  semaphores = semget(IPC_PRIVATE, 1, 0600);
  sem_init(&semaphore, 0, 0);
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  pthread_barrier_init(&started, NULL, WAITS + 1);
  for (int i = 0; i < WAITS; i++)
    pthread_create(&thread, NULL, waits[i], NULL);
  pthread_barrier_wait(&started);
  until_all_sleep();
  for (int i = 0; i < 5; i++)
    fork_at_depth(i);
  int result = ended > 0;
  semctl(semaphores, 0, IPC_RMID);
  return result;
}
