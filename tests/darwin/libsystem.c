#include "libsystem.h"

#include "fake_mach.h"
#include "image.h"

#include <libunwind.h>
#include <mach/mach.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

static const char *program_path;

// What may wait for a lock of libc must not be called while threads are suspended.
static void
expect_all_run(const char *function)
{
  if (!fake_mach_all_run())
    die("%s() is called with threads suspended", function);
}

// --- errno

static __thread int darwin_errno;

static int *
error_address(void)
{
  return &darwin_errno;
}

// Numbers up to 34 are the same.
static int
darwin_error(int error)
{
  switch (error) {
  case EAGAIN: return 35;
  case ELOOP: return 62;
  case ENAMETOOLONG: return 63;
  default: return error;
  }
}

static long
result(long n)
{
  if (n < 0)
    darwin_errno = darwin_error(errno);
  return n;
}

// --- files and memory

static int
linux_open_flags(int flags)
{
  static const struct {
    int darwin, linux_;
  } bits[] = {{0x4, O_NONBLOCK},   {0x8, O_APPEND},         {0x100, O_NOFOLLOW},
              {0x200, O_CREAT},    {0x400, O_TRUNC},        {0x800, O_EXCL},
              {0x20000, O_NOCTTY}, {0x100000, O_DIRECTORY}, {0x1000000, O_CLOEXEC}};
  int result_flags = flags & 3, known = 3;

  for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
    known |= bits[i].darwin;
    if (flags & bits[i].darwin)
      result_flags |= bits[i].linux_;
  }
  if (flags & ~known)
    die("open() with the flags %#x", (unsigned)flags);
  return result_flags;
}

static int
open_(const char *path, int flags, int mode)
{
  return (int)result(open(path, linux_open_flags(flags), (mode_t)mode));
}

static int
close_(int fd)
{
  return (int)result(close(fd));
}

static long
read_(int fd, void *to, size_t size)
{
  return result(read(fd, to, size));
}

static long
pread_(int fd, void *to, size_t size, off_t offset)
{
  return result(pread(fd, to, size, offset));
}

static long
write_(int fd, const void *bytes, size_t size)
{
  return result(write(fd, bytes, size));
}

static int
access_(const char *path, int how)
{
  return (int)result(access(path, how));
}

// struct stat with 64-bit inodes (sys/stat.h).
struct darwin_stat {
  int32_t dev;
  uint16_t mode, nlink;
  uint64_t ino;
  uint32_t uid, gid;
  int32_t rdev;
  int64_t times[8];
  int64_t size, blocks;
  int32_t blksize;
  uint32_t flags, gen;
  int32_t spare;
  int64_t spares[2];
};
_Static_assert(sizeof(struct darwin_stat) == 144, "as on macOS");

static int
translate_stat(int error, const struct stat *from, struct darwin_stat *to)
{
  if (error)
    return (int)result(error);
  *to = (struct darwin_stat){.dev = (int32_t)from->st_dev,
                             .mode = (uint16_t)from->st_mode,
                             .nlink = (uint16_t)from->st_nlink,
                             .ino = from->st_ino,
                             .uid = from->st_uid,
                             .gid = from->st_gid,
                             .size = from->st_size};
  return 0;
}

static int
fstat_(int fd, struct darwin_stat *to)
{
  struct stat st;

  return translate_stat(fstat(fd, &st), &st, to);
}

static int
stat_(const char *path, struct darwin_stat *to)
{
  struct stat st;

  return translate_stat(stat(path, &st), &st, to);
}

static void *
mmap_(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
  int kind = (flags & 0x1 ? MAP_SHARED : 0) | (flags & 0x2 ? MAP_PRIVATE : 0) |
             (flags & 0x40 ? MAP_NORESERVE : 0) | (flags & 0x1000 ? MAP_ANONYMOUS : 0);

  if (flags & ~0x1043)
    die("mmap() with the flags %#x", (unsigned)flags);
  void *memory = mmap(address, size, protection, kind, fd, offset);
  if (memory == MAP_FAILED)
    result(-1);
  return memory;
}

static void
bzero_(void *to, size_t size)
{
  memset(to, 0, size);
}

static void *
memcpy_checked(void *to, const void *from, size_t size, size_t room)
{
  if (size > room)
    die("memcpy() past the end");
  return memcpy(to, from, size);
}

static uint64_t stack_guard = 0x1234567890abcdef;

static void
stack_check_failed(void)
{
  die("the stack was overwritten");
}

// --- time, processor, signals

static int
clock_gettime_(int clock, struct timespec *t)
{
  return clock_gettime(clock == 6 ? CLOCK_MONOTONIC : CLOCK_REALTIME, t);
}

static uint64_t
clock_gettime_nsec_np_(int clock)
{
  struct timespec t;

  clock_gettime_(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int
nanosleep_(const struct timespec *wanted, struct timespec *left)
{
  return (int)result(nanosleep(wanted, left));
}

static int
kill_(pid_t pid, int number)
{
  return (int)result(kill(pid, number));
}

// A signal set is a word; the signals that are translated have the same number.
static void
to_linux_set(uint32_t from, sigset_t *to)
{
  sigemptyset(to);
  for (int i = 1; i < 32; i++) {
    if (from >> (i - 1) & 1)
      sigaddset(to, i);
  }
}

static uint32_t
to_darwin_set(const sigset_t *from)
{
  uint32_t set = 0;

  for (int i = 1; i < 32; i++)
    set |= sigismember(from, i) == 1 ? 1u << (i - 1) : 0;
  return set;
}

static int
pthread_sigmask_(int how, const uint32_t *set, uint32_t *old)
{
  sigset_t wanted, before;

  to_linux_set(set ? *set : 0, &wanted);
  int error = pthread_sigmask(how - 1, set ? &wanted : NULL, &before);  // 1 is SIG_BLOCK there
  if (old)
    *old = to_darwin_set(&before);
  return error;
}

static int
sigpending_(uint32_t *set)
{
  sigset_t pending;

  sigpending(&pending);
  *set = to_darwin_set(&pending);
  return 0;
}

static int
sigwait_(const uint32_t *set, int *number)
{
  sigset_t wanted;

  to_linux_set(*set, &wanted);
  return sigwait(&wanted, number);
}

// --- images

static uint32_t
image_count_(void)
{
  expect_all_run("_dyld_image_count");
  return (uint32_t)image_count;
}

static const void *
image_header_(uint32_t i)
{
  return i < (uint32_t)image_count ? images[i].header : NULL;
}

static const char *
image_name_(uint32_t i)
{
  return i < (uint32_t)image_count ? images[i].path : NULL;
}

static int
dladdr_(const void *address, Dl_info *info)
{
  uint64_t at = (uint64_t)(uintptr_t)address, begin = 0;

  expect_all_run("dladdr");
  for (int i = 0; i < image_count; i++) {
    uint64_t low = (uint64_t)(uintptr_t)images[i].header;
    if (at < low || at >= low + images[i].text_size)
      continue;
    const char *name = image_symbol(&images[i], at, &begin);
    *info = (Dl_info){images[i].path, (void *)low, name, (void *)begin};
    return 1;
  }
  return 0;
}

static int
executable_path(char *to, uint32_t *size)
{
  if (strlen(program_path) >= *size)
    return -1;
  strcpy(to, program_path);
  return 0;
}

static char ***
environ_address(void)
{
  return &environ;
}

static int
issetugid_(void)
{
  return 0;
}

static int
sysctlbyname_(const char *name, void *old, size_t *size, void *new, size_t new_size)
{
  (void)name;
  (void)old;
  (void)size;
  (void)new;
  (void)new_size;
  darwin_errno = ENOENT;
  return -1;
}

// --- threads

// Entered at the outermost frame of a stack: pushes a frame record that ends the chain, and calls
// argument[0] with argument[1], [2] and [3].
static const unsigned char begin_code[] = {
    0x55,                    // pushq %rbp
    0x6a, 0x00,              // pushq $0
    0x6a, 0x00,              // pushq $0
    0x48, 0x89, 0xe5,        // movq %rsp, %rbp
    0x48, 0x89, 0xf8,        // movq %rdi, %rax
    0x48, 0x8b, 0x78, 0x08,  // movq 8(%rax), %rdi
    0x48, 0x8b, 0x70, 0x10,  // movq 16(%rax), %rsi
    0x48, 0x8b, 0x50, 0x18,  // movq 24(%rax), %rdx
    0xff, 0x10,              // callq *(%rax)
    0x48, 0x83, 0xc4, 0x10,  // addq $16, %rsp
    0x5d,                    // popq %rbp
    0xc3,                    // retq
};

// A system call stub without a frame, as all are there: pause().
static const unsigned char pause_code[] = {
    0xb8, 0x22, 0x00, 0x00, 0x00,  // movl $34, %eax
    0x0f, 0x05,                    // syscall
    0xc3,                          // retq
};

struct begin {
  void *function;
  const void *arguments[3];
};
static void *(*begin_thread)(void *), *pause_stub;
static int (*begin_main)(struct begin *);

// A thread has no name at first; on Linux it has that of its maker.
static void *
nameless(void *begin)
{
  prctl(PR_SET_NAME, "");
  return begin_thread(begin);
}

static int
pthread_create_(pthread_t *thread, const void *attributes, void *start, const void *argument)
{
  struct begin *begin = calloc(1, sizeof *begin);

  expect_all_run("pthread_create");
  if (attributes)
    die("pthread_create() with attributes");
  begin->function = start;
  begin->arguments[0] = argument;
  return pthread_create(thread, NULL, nameless, begin);
}

static int
pthread_setname_np_(const char *name)
{
  return prctl(PR_SET_NAME, name);
}

static int
pthread_key_create_(unsigned long *key, void (*end)(void *))
{
  pthread_key_t made;
  int error = pthread_key_create(&made, end);

  *key = made;
  return error;
}

static int
pthread_setspecific_(unsigned long key, const void *value)
{
  return pthread_setspecific((pthread_key_t)key, value);
}

struct darwin_once {
  long signature;
  _Atomic int state;  // of 8 opaque bytes
  int unused;
};

static int
pthread_once_(struct darwin_once *once, void (*function)(void))
{
  int expected = 0;

  if (once->signature != 0x30b1bcba)
    die("a pthread_once_t that is not initialized");
  if (atomic_compare_exchange_strong(&once->state, &expected, 1)) {
    function();
    atomic_store(&once->state, 2);
  }
  while (atomic_load(&once->state) != 2)
    sched_yield();
  return 0;
}

// 1 is PTHREAD_CANCEL_ENABLE there, and 0 here.
static int
pthread_setcancelstate_(int state, int *old)
{
  int before;
  int error = pthread_setcancelstate(!state, &before);

  if (old)
    *old = !before;
  return error;
}

// 56 opaque bytes follow a signature; as zeroes they are glibc's PTHREAD_MUTEX_INITIALIZER.
struct darwin_mutex {
  long signature;
  pthread_mutex_t mutex;
};

static int
pthread_mutex_lock_(struct darwin_mutex *m)
{
  return pthread_mutex_lock(&m->mutex);
}

// --- processes

enum { HANDLERS = 32 };
static struct {
  void (*prepare)(void), (*parent)(void), (*child)(void);
} handlers[HANDLERS];
static int handler_count;

static int
pthread_atfork_(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
  if (handler_count == HANDLERS)
    return ENOMEM;
  handlers[handler_count].prepare = prepare;
  handlers[handler_count].parent = parent;
  handlers[handler_count++].child = child;
  return 0;
}

// Frames of glibc's fork() would break the chain of frame pointers.
static pid_t
fork_(void)
{
  expect_all_run("fork");
  for (int i = handler_count; i-- > 0;) {
    if (handlers[i].prepare)
      handlers[i].prepare();
  }
  pid_t child = (pid_t)result(_Fork());
  if (child == 0)
    fake_mach_child();
  for (int i = 0; i < handler_count; i++) {
    void (*after)(void) = child == 0 ? handlers[i].child : handlers[i].parent;
    if (after)
      after();
  }
  return child;
}

static pid_t
forkpty_(int *master, char *name, const void *terminal, const void *size)
{
  int slave;

  if (name || terminal || size)
    die("forkpty() with a name, a terminal or a size");
  if (openpty(master, &slave, NULL, NULL, NULL) != 0)
    return (pid_t)result(-1);
  pid_t child = fork_();
  if (child == 0)
    login_tty(slave);
  close(slave);
  return child;
}

static int
chdir_(const char *path)
{
  return (int)result(chdir(path));
}

static int
dup2_(int from, int to)
{
  return (int)result(dup2(from, to));
}

static pid_t
setsid_(void)
{
  return (pid_t)result(setsid());
}

static pid_t
waitpid_(pid_t pid, int *status, int options)
{
  return (pid_t)result(waitpid(pid, status, options));
}

static int
execve_(const char *path, char *const arguments[], char *const environment[])
{
  return (int)result(execve(path, arguments, environment));
}

static int
execvp_(const char *file, char *const arguments[])
{
  return (int)result(execvp(file, arguments));
}

// They return the error.
static int
posix_spawn_(pid_t *child, const char *path, const void *actions, const void *attributes,
             char *const arguments[], char *const environment[])
{
  if (actions || attributes)
    die("posix_spawn() with actions or attributes");
  return darwin_error(posix_spawn(child, path, NULL, NULL, arguments, environment));
}

static int
posix_spawnp_(pid_t *child, const char *file, const void *actions, const void *attributes,
              char *const arguments[], char *const environment[])
{
  if (actions || attributes)
    die("posix_spawnp() with actions or attributes");
  return darwin_error(posix_spawnp(child, file, NULL, NULL, arguments, environment));
}

static void
expect_balance(void)
{
  struct fake_mach_balance b = fake_mach_balance();

  if (b.rights || b.arrays || b.suspended || b.mistakes) {
    fprintf(
        stderr,
        "loader: %ld rights to ports and %ld arrays not given back, %ld threads left suspended, "
        "%ld mistakes\n",
        b.rights, b.arrays, b.suspended, b.mistakes);
    _exit(97);
  }
}

static void
exit_at_once(int status)
{
  expect_balance();
  _exit(status);
}

_Noreturn void
libsystem_exit(int status)
{
  expect_balance();
  fprintf(stderr, "loader: balanced after %ld suspensions\n", fake_mach_balance().suspends);
  exit(status);
}

static int
at_exit(void (*function)(void))
{
  return atexit(function);
}

int __cxa_atexit(void (*function)(void *), void *argument, void *image);

static void
not_there(void)
{
  die("a function is called that the loader does not have");
}

static const struct {
  const char *symbol;
  void *address;
} functions[] = {
#define IS(symbol, function)                                                                       \
  {                                                                                                \
    symbol, (void *)(uintptr_t)(function)                                                          \
  }
    IS("__NSGetEnviron", environ_address),
    IS("__NSGetExecutablePath", executable_path),
    IS("___bzero", bzero_),
    IS("___cxa_atexit", __cxa_atexit),
    IS("___error", error_address),
    IS("___memcpy_chk", memcpy_checked),
    IS("___stack_chk_fail", stack_check_failed),
    IS("___stack_chk_guard", &stack_guard),
    IS("__dyld_get_image_header", image_header_),
    IS("__dyld_get_image_name", image_name_),
    IS("__dyld_image_count", image_count_),
    IS("__exit", exit_at_once),
    IS("_access", access_),
    IS("_atexit", at_exit),
    IS("_chdir", chdir_),
    IS("_clock_gettime", clock_gettime_),
    IS("_clock_gettime_nsec_np", clock_gettime_nsec_np_),
    IS("_close", close_),
    IS("_dladdr", dladdr_),
    IS("_dup2", dup2_),
    IS("_execve", execve_),
    IS("_execvp", execvp_),
    IS("_exit", libsystem_exit),
    IS("_fflush", fflush),
    IS("_fork", fork_),
    IS("_forkpty", forkpty_),
    IS("_fstat$INODE64", fstat_),
    IS("_getenv", getenv),
    IS("_getgid", getgid),
    IS("_getpid", getpid),
    IS("_getuid", getuid),
    IS("_isatty", isatty),
    IS("_issetugid", issetugid_),
    IS("_kill", kill_),
    IS("_mach_port_deallocate", mach_port_deallocate),
    IS("_mach_task_self_", &mach_task_self_),
    IS("_memcmp", memcmp),
    IS("_memcpy", memcpy),
    IS("_memmove", memmove),
    IS("_memset", memset),
    IS("_mmap", mmap_),
    IS("_munmap", munmap),
    IS("_nanosleep", nanosleep_),
    IS("_open", open_),
    IS("_posix_spawn", posix_spawn_),
    IS("_posix_spawnp", posix_spawnp_),
    IS("_pread", pread_),
    IS("_pthread_atfork", pthread_atfork_),
    IS("_pthread_create", pthread_create_),
    IS("_pthread_is_threaded_np", pthread_is_threaded_np),
    IS("_pthread_join", pthread_join),
    IS("_pthread_key_create", pthread_key_create_),
    IS("_pthread_mach_thread_np", pthread_mach_thread_np),
    IS("_pthread_main_np", pthread_main_np),
    IS("_pthread_mutex_lock", pthread_mutex_lock_),
    IS("_pthread_once", pthread_once_),
    IS("_pthread_self", pthread_self),
    IS("_pthread_setcancelstate", pthread_setcancelstate_),
    IS("_pthread_setname_np", pthread_setname_np_),
    IS("_pthread_setspecific", pthread_setspecific_),
    IS("_pthread_sigmask", pthread_sigmask_),
    IS("_pthread_threadid_np", pthread_threadid_np),
    IS("_read", read_),
    IS("_sched_yield", sched_yield),
    IS("_setsid", setsid_),
    IS("_sigpending", sigpending_),
    IS("_sigwait", sigwait_),
    IS("_snprintf", snprintf),
    IS("_stat$INODE64", stat_),
    IS("_strchr", strchr),
    IS("_strcmp", strcmp),
    IS("_strcspn", strcspn),
    IS("_strlen", strlen),
    IS("_strncmp", strncmp),
    IS("_strncpy", strncpy),
    IS("_strnlen", strnlen),
    IS("_strrchr", strrchr),
    IS("_strspn", strspn),
    IS("_strstr", strstr),
    IS("_strtol", strtol),
    IS("_sysctlbyname", sysctlbyname_),
    IS("_task_threads", task_threads),
    IS("_thread_get_state", thread_get_state),
    IS("_thread_info", thread_info),
    IS("_thread_resume", thread_resume),
    IS("_thread_suspend", thread_suspend),
    IS("_unw_get_reg", unw_get_reg),
    IS("_unw_getcontext", unw_getcontext),
    IS("_unw_init_local", unw_init_local),
    IS("_unw_step", unw_step),
    IS("_vm_deallocate", vm_deallocate),
    IS("_vm_read_overwrite", vm_read_overwrite),
    IS("_vsnprintf", vsnprintf),
    IS("_waitpid", waitpid_),
    IS("_write", write_),
    // Bound, but called by no test.
    IS("__tlv_bootstrap", not_there),
    IS("_daemon", not_there),
    IS("_daemon$1050", not_there),
    IS("_execl", not_there),
    IS("_execle", not_there),
    IS("_execlp", not_there),
    IS("_execv", not_there),
    IS("dyld_stub_binder", not_there),
};

void *
libsystem_find(const char *symbol)
{
  if (strcmp(symbol, "_pause") == 0)
    return pause_stub;
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    if (strcmp(functions[i].symbol, symbol) == 0)
      return functions[i].address;
  }
  die("%s is not in libsystem.c", symbol);
}

void
libsystem_start(const char *program)
{
  program_path = program;
  *(void **)(void *)&begin_main =
      image_make("/usr/lib/dyld", "start", begin_code, sizeof begin_code);
  *(void **)(void *)&begin_thread = image_make("/usr/lib/system/libsystem_pthread.dylib",
                                               "_pthread_start", begin_code, sizeof begin_code);
  pause_stub =
      image_make("/usr/lib/system/libsystem_kernel.dylib", "pause", pause_code, sizeof pause_code);
}

int
libsystem_call_main(uint64_t entry, int argc, char **argv)
{
  struct begin begin = {(void *)entry, {(const void *)(intptr_t)argc, argv, environ}};

  return begin_main(&begin);
}
