// A library that makes threads: for new_group.c.
#include <pthread.h>

pthread_t make_thread(void *(*routine)(void *));

pthread_t
make_thread(void *(*routine)(void *))
{
  pthread_t thread;

  pthread_create(&thread, NULL, routine, NULL);
  return thread;
}
