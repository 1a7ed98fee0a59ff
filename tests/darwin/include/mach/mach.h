// What the Darwin files of the library use of Mach, with the layouts of the system's headers
// (mach/thread_info.h, mach/i386/_structs.h): so that they are built and run on Linux over
// fake_mach.c.
#pragma once

#include <pthread.h>
#include <stdint.h>

typedef int kern_return_t;
typedef uint32_t mach_port_t;
typedef mach_port_t task_t, thread_act_t;
typedef thread_act_t *thread_act_array_t;
typedef uint32_t natural_t, mach_msg_type_number_t;
typedef int32_t integer_t;
typedef uintptr_t vm_address_t, vm_size_t;
typedef integer_t *thread_info_t;
typedef natural_t *thread_state_t;
typedef natural_t thread_flavor_t;
typedef int thread_state_flavor_t;

enum {
  KERN_SUCCESS = 0,
  KERN_INVALID_ADDRESS = 1,
  KERN_INVALID_ARGUMENT = 4,
  KERN_TERMINATED = 37
};
enum { MACH_PORT_NULL = 0 };

extern mach_port_t mach_task_self_;
#define mach_task_self() mach_task_self_

enum { THREAD_BASIC_INFO = 3, THREAD_IDENTIFIER_INFO = 4, THREAD_EXTENDED_INFO = 5 };
enum {
  TH_STATE_RUNNING = 1,
  TH_STATE_STOPPED,
  TH_STATE_WAITING,
  TH_STATE_UNINTERRUPTIBLE,
  TH_STATE_HALTED
};

typedef struct {
  integer_t user_time[2], system_time[2];
  integer_t cpu_usage, policy, run_state, flags, suspend_count, sleep_time;
} thread_basic_info_data_t;

typedef struct {
  uint64_t thread_id, thread_handle, dispatch_qaddr;
} thread_identifier_info_data_t;

typedef struct {
  uint64_t pth_user_time, pth_system_time;
  int32_t pth_cpu_usage, pth_policy, pth_run_state, pth_flags, pth_sleep_time, pth_curpri;
  int32_t pth_priority, pth_maxpriority;
  char pth_name[64];
} thread_extended_info_data_t;

typedef struct {
  uint64_t __rax, __rbx, __rcx, __rdx, __rdi, __rsi, __rbp, __rsp, __r8, __r9, __r10, __r11;
  uint64_t __r12, __r13, __r14, __r15, __rip, __rflags, __cs, __fs, __gs;
} x86_thread_state64_t;

enum { x86_THREAD_STATE64 = 4 };
#define WORDS_OF(type) ((mach_msg_type_number_t)(sizeof(type) / sizeof(natural_t)))
#define THREAD_BASIC_INFO_COUNT WORDS_OF(thread_basic_info_data_t)
#define THREAD_IDENTIFIER_INFO_COUNT WORDS_OF(thread_identifier_info_data_t)
#define THREAD_EXTENDED_INFO_COUNT WORDS_OF(thread_extended_info_data_t)
#define x86_THREAD_STATE64_COUNT WORDS_OF(x86_thread_state64_t)

kern_return_t task_threads(task_t task, thread_act_array_t *ports, mach_msg_type_number_t *count);
kern_return_t mach_port_deallocate(task_t task, mach_port_t port);
kern_return_t vm_deallocate(task_t task, vm_address_t address, vm_size_t size);
kern_return_t vm_read_overwrite(task_t task, vm_address_t address, vm_size_t size, vm_address_t to,
                                vm_size_t *done);
kern_return_t thread_suspend(thread_act_t port);
kern_return_t thread_resume(thread_act_t port);
kern_return_t thread_info(thread_act_t port, thread_flavor_t flavor, thread_info_t info,
                          mach_msg_type_number_t *count);
kern_return_t thread_get_state(thread_act_t port, thread_state_flavor_t flavor,
                               thread_state_t state, mach_msg_type_number_t *count);

// Of <pthread.h> there.
mach_port_t pthread_mach_thread_np(pthread_t thread);
int pthread_threadid_np(void *thread, uint64_t *id);
int pthread_is_threaded_np(void);
int pthread_main_np(void);
