// The threads of this process by their Mach ports. No allocation of ours, no locks of libc: usable
// between the fork handlers, and with other threads suspended.
#pragma once

#include <mach/mach.h>
#include <stdbool.h>
#include <sys/types.h>

// The kernel gives a right to each port and the array, in memory of its own: both go back with
// mach_threads_free().
struct mach_threads {
  thread_act_array_t ports;
  mach_msg_type_number_t count;
};

// False where the kernel gives none.
bool mach_threads_list(struct mach_threads *threads);
void mach_threads_free(struct mach_threads *threads);

// The caller's port, without a right that would have to be given back.
thread_act_t mach_threads_self(void);

// The id that pthread_threadid_np() and debuggers know the thread by, 0 where it has ended. They
// are counted from the start of the system: 31 bits are enough.
pid_t mach_thread_id(thread_act_t port);

// 'R', 'S', or 0 where it has ended. A suspended thread is what it was before.
char mach_thread_run_state(thread_act_t port);

// Its name, cut to `size`; "" for none.
void mach_thread_name(thread_act_t port, char *name, size_t size);
