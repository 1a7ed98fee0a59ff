// A thread that has started and waits for ever.
#pragma once

#include <pthread.h>
#include <unistd.h>

static pthread_barrier_t started;

static inline void *
idle(void *unused)
{
  pthread_barrier_wait(&started);
  for (;;)
    pause();
  return unused;
}

// Returns when the thread runs; `routine` ends in idle().
static inline pthread_t
start_thread(void *(*routine)(void *))
{
  pthread_t thread;

  pthread_barrier_init(&started, NULL, 2);
  pthread_create(&thread, NULL, routine, NULL);
  pthread_barrier_wait(&started);
  return thread;
}
