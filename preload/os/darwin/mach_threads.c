#include "mach_threads.h"

#include <pthread.h>
#include <string.h>

bool
mach_threads_list(struct mach_threads *threads)
{
  return task_threads(mach_task_self(), &threads->ports, &threads->count) == KERN_SUCCESS;
}

void
mach_threads_free(struct mach_threads *threads)
{
  for (mach_msg_type_number_t i = 0; i < threads->count; i++)
    mach_port_deallocate(mach_task_self(), threads->ports[i]);
  vm_deallocate(mach_task_self(), (vm_address_t)threads->ports,
                threads->count * sizeof *threads->ports);
}

thread_act_t
mach_threads_self(void)
{
  return pthread_mach_thread_np(pthread_self());
}

pid_t
mach_thread_id(thread_act_t port)
{
  thread_identifier_info_data_t info = {0};
  mach_msg_type_number_t count = THREAD_IDENTIFIER_INFO_COUNT;

  if (thread_info(port, THREAD_IDENTIFIER_INFO, (thread_info_t)&info, &count) != KERN_SUCCESS)
    return 0;
  return (pid_t)info.thread_id;
}

char
mach_thread_run_state(thread_act_t port)
{
  thread_basic_info_data_t info = {0};
  mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;

  if (thread_info(port, THREAD_BASIC_INFO, (thread_info_t)&info, &count) != KERN_SUCCESS ||
      info.run_state == TH_STATE_HALTED)
    return 0;
  return info.run_state == TH_STATE_RUNNING ? 'R' : 'S';
}

void
mach_thread_name(thread_act_t port, char *name, size_t size)
{
  thread_extended_info_data_t info = {0};
  mach_msg_type_number_t count = THREAD_EXTENDED_INFO_COUNT;

  name[0] = 0;
  if (thread_info(port, THREAD_EXTENDED_INFO, (thread_info_t)&info, &count) != KERN_SUCCESS)
    return;
  size_t n = strnlen(info.pth_name, sizeof info.pth_name);
  n = n < size ? n : size - 1;
  memcpy(name, info.pth_name, n);
  name[n] = 0;
}
