#include "fake_mach.h"

#include <mach/mach.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

enum { PORTS = 4096, TASK_PORT = 0x103, FIRST_PORT = 0x1003, STEP = 0x100, STOP_SIGNAL = 62 };

struct port {
  _Atomic pid_t tid;  // 0: free
  long rights;
  int suspend_count;
  _Atomic int hold;     // the handler waits while it is 1
  _Atomic int stopped;  // the handler waits
  x86_thread_state64_t state;
};

mach_port_t mach_task_self_ = TASK_PORT;
static struct port ports[PORTS];
static long arrays, mistakes, suspends;

static mach_port_t
name_of(const struct port *p)
{
  return (mach_port_t)(FIRST_PORT + (p - ports) * STEP);
}

static struct port *
port_of(mach_port_t name)
{
  size_t i = (name - FIRST_PORT) / STEP;

  if (name < FIRST_PORT || (name - FIRST_PORT) % STEP || i >= PORTS || !ports[i].tid) {
    mistakes++;
    return NULL;
  }
  return &ports[i];
}

static struct port *
port_of_thread(pid_t tid)
{
  struct port *unused = NULL;

  for (int i = 0; i < PORTS; i++) {
    if (ports[i].tid == tid)
      return &ports[i];
    if (!unused && !ports[i].tid)
      unused = &ports[i];
  }
  if (!unused)
    abort();
  memset(unused, 0, sizeof *unused);
  unused->tid = tid;
  return unused;
}

static bool
alive(pid_t tid)
{
  return syscall(SYS_tgkill, getpid(), tid, 0) == 0;
}

static void
on_stop(int number, siginfo_t *info, void *context)
{
  const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  struct port *p = port_of_thread((pid_t)syscall(SYS_gettid));
  int saved = errno;

  (void)number;
  (void)info;
  p->state = (x86_thread_state64_t){
      .__rax = (uint64_t)r[REG_RAX],
      .__rbx = (uint64_t)r[REG_RBX],
      .__rcx = (uint64_t)r[REG_RCX],
      .__rdx = (uint64_t)r[REG_RDX],
      .__rdi = (uint64_t)r[REG_RDI],
      .__rsi = (uint64_t)r[REG_RSI],
      .__rbp = (uint64_t)r[REG_RBP],
      .__rsp = (uint64_t)r[REG_RSP],
      .__r8 = (uint64_t)r[REG_R8],
      .__r9 = (uint64_t)r[REG_R9],
      .__r10 = (uint64_t)r[REG_R10],
      .__r11 = (uint64_t)r[REG_R11],
      .__r12 = (uint64_t)r[REG_R12],
      .__r13 = (uint64_t)r[REG_R13],
      .__r14 = (uint64_t)r[REG_R14],
      .__r15 = (uint64_t)r[REG_R15],
      .__rip = (uint64_t)r[REG_RIP],
  };
  p->stopped = 1;
  while (p->hold)
    sched_yield();
  p->stopped = 0;
  errno = saved;
}

__attribute__((constructor)) static void
start(void)
{
  struct sigaction action = {.sa_sigaction = on_stop, .sa_flags = SA_SIGINFO | SA_RESTART};

  sigaction(STOP_SIGNAL, &action, NULL);
}

// Neither here nor below a lock of libc: a suspended thread may hold it.
kern_return_t
task_threads(task_t task, thread_act_array_t *list, mach_msg_type_number_t *count)
{
  _Alignas(8) char entries[4096];
  mach_msg_type_number_t n = 0;
  long length;
  int folder = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (task != mach_task_self_ || folder < 0)
    return KERN_INVALID_ARGUMENT;
  thread_act_t *names =
      mmap(NULL, PORTS * sizeof *names, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  while ((length = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
    for (long at = 0; at < length;) {
      // inode, offset, length of the entry, type, name (getdents64(2))
      unsigned short size;
      memcpy(&size, entries + at + 16, sizeof size);
      pid_t tid = (pid_t)atoi(entries + at + 19);
      at += size;
      if (tid <= 0 || n == PORTS)
        continue;
      struct port *p = port_of_thread(tid);
      p->rights++;
      names[n++] = name_of(p);
    }
  }
  close(folder);
  arrays++;
  *list = names;
  *count = n;
  return KERN_SUCCESS;
}

kern_return_t
mach_port_deallocate(task_t task, mach_port_t name)
{
  if (name == MACH_PORT_NULL && task == mach_task_self_)
    return KERN_SUCCESS;
  struct port *p = port_of(name);
  if (task != mach_task_self_ || !p)
    return KERN_INVALID_ARGUMENT;
  if (p->rights == 0) {
    mistakes++;
    return KERN_INVALID_ARGUMENT;
  }
  if (--p->rights == 0 && !alive(p->tid))
    p->tid = 0;
  return KERN_SUCCESS;
}

kern_return_t
vm_deallocate(task_t task, vm_address_t address, vm_size_t size)
{
  if (task != mach_task_self_ || size == 0) {
    mistakes++;
    return KERN_INVALID_ARGUMENT;
  }
  arrays--;
  munmap((void *)address, PORTS * sizeof(thread_act_t));
  return KERN_SUCCESS;
}

kern_return_t
vm_read_overwrite(task_t task, vm_address_t address, vm_size_t size, vm_address_t to,
                  vm_size_t *done)
{
  struct iovec local = {(void *)to, size}, remote = {(void *)address, size};

  if (task != mach_task_self_ ||
      process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != (ssize_t)size)
    return KERN_INVALID_ADDRESS;
  *done = size;
  return KERN_SUCCESS;
}

static void
read_file(pid_t tid, const char *file, char *to, size_t size)
{
  char path[64];

  snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)tid, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, to, size - 1) : 0;
  to[n > 0 ? n : 0] = 0;
  if (fd >= 0)
    close(fd);
}

// Threads of a test runner may block all signals; no thread of Darwin could be out of reach so.
static bool
blocks_signal(pid_t tid)
{
  char status[4096];

  read_file(tid, "status", status, sizeof status);
  const char *mask = strstr(status, "SigBlk:");
  return mask && (strtoull(mask + 7, NULL, 16) >> (STOP_SIGNAL - 1) & 1) != 0;
}

kern_return_t
thread_suspend(thread_act_t name)
{
  struct port *p = port_of(name);

  if (!p || p->tid == (pid_t)syscall(SYS_gettid)) {
    mistakes++;
    return KERN_INVALID_ARGUMENT;
  }
  if (p->suspend_count == 0) {
    if (blocks_signal(p->tid))
      return KERN_TERMINATED;
    p->hold = 1;
    if (syscall(SYS_tgkill, getpid(), p->tid, STOP_SIGNAL) != 0) {
      p->hold = 0;
      return KERN_TERMINATED;
    }
    while (!p->stopped && alive(p->tid))
      sched_yield();
  }
  p->suspend_count++;
  suspends++;
  return KERN_SUCCESS;
}

kern_return_t
thread_resume(thread_act_t name)
{
  struct port *p = port_of(name);

  if (!p || p->suspend_count == 0) {
    mistakes++;
    return KERN_INVALID_ARGUMENT;
  }
  if (--p->suspend_count == 0) {
    p->hold = 0;
    while (p->stopped && alive(p->tid))
      sched_yield();
  }
  return KERN_SUCCESS;
}

static int
run_state(const struct port *p)
{
  char stat[512];

  if (p->suspend_count)
    return TH_STATE_STOPPED;
  read_file(p->tid, "stat", stat, sizeof stat);
  const char *end = strrchr(stat, ')');
  return end && end[2] == 'R' ? TH_STATE_RUNNING : TH_STATE_WAITING;
}

kern_return_t
thread_info(thread_act_t name, thread_flavor_t flavor, thread_info_t info,
            mach_msg_type_number_t *count)
{
  struct port *p = port_of(name);

  if (!p)
    return KERN_INVALID_ARGUMENT;
  if (!alive(p->tid))
    return KERN_TERMINATED;
  if (flavor == THREAD_BASIC_INFO && *count >= THREAD_BASIC_INFO_COUNT) {
    thread_basic_info_data_t *basic = (void *)info;
    memset(basic, 0, sizeof *basic);
    basic->run_state = run_state(p);
    basic->suspend_count = p->suspend_count;
    return KERN_SUCCESS;
  }
  if (flavor == THREAD_IDENTIFIER_INFO && *count >= THREAD_IDENTIFIER_INFO_COUNT) {
    thread_identifier_info_data_t *id = (void *)info;
    memset(id, 0, sizeof *id);
    id->thread_id = (uint64_t)p->tid;
    return KERN_SUCCESS;
  }
  if (flavor == THREAD_EXTENDED_INFO && *count >= THREAD_EXTENDED_INFO_COUNT) {
    thread_extended_info_data_t *extended = (void *)info;
    memset(extended, 0, sizeof *extended);
    read_file(p->tid, "comm", extended->pth_name, sizeof extended->pth_name);
    extended->pth_name[strcspn(extended->pth_name, "\n")] = 0;
    extended->pth_run_state = run_state(p);
    return KERN_SUCCESS;
  }
  mistakes++;
  return KERN_INVALID_ARGUMENT;
}

kern_return_t
thread_get_state(thread_act_t name, thread_state_flavor_t flavor, thread_state_t state,
                 mach_msg_type_number_t *count)
{
  struct port *p = port_of(name);

  if (!p || flavor != x86_THREAD_STATE64 || *count < x86_THREAD_STATE64_COUNT) {
    mistakes++;
    return KERN_INVALID_ARGUMENT;
  }
  if (!p->stopped)
    return KERN_TERMINATED;
  memcpy(state, &p->state, sizeof p->state);
  return KERN_SUCCESS;
}

// No right comes with it.
mach_port_t
pthread_mach_thread_np(pthread_t thread)
{
  if (thread != pthread_self())
    mistakes++;
  return name_of(port_of_thread((pid_t)syscall(SYS_gettid)));
}

int
pthread_threadid_np(void *thread, uint64_t *id)
{
  if (thread)
    mistakes++;
  *id = (uint64_t)syscall(SYS_gettid);
  return 0;
}

int
pthread_is_threaded_np(void)
{
  return !__libc_single_threaded;
}

int
pthread_main_np(void)
{
  return syscall(SYS_gettid) == getpid();
}

bool
fake_mach_all_run(void)
{
  for (int i = 0; i < PORTS; i++) {
    if (ports[i].suspend_count)
      return false;
  }
  return true;
}

struct fake_mach_balance
fake_mach_balance(void)
{
  struct fake_mach_balance balance = {.arrays = arrays, .mistakes = mistakes, .suspends = suspends};

  for (int i = 0; i < PORTS; i++) {
    balance.rights += ports[i].rights;
    balance.suspended += ports[i].suspend_count != 0;
  }
  return balance;
}

void
fake_mach_child(void)
{
  memset(ports, 0, sizeof ports);
  arrays = 0;
}
