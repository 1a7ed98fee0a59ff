// The wrappers jump to the real function and leave the caller's frame alone: many are variadic, and
// dlopen() looks at its return address. Where nothing is watched they cost a test and a jump.
#include "unsafe_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

// The wrappers' names for them.
struct unsafe_call {
  void *real;
  _Atomic bool called;
  char symbol[20], name[20];
};

#define DEFINE(symbol_, name_)                                                                     \
  __attribute__((visibility("hidden"))) struct unsafe_call forkhound_call_##symbol_ = {            \
      .symbol = #symbol_, .name = #name_};
FH_UNSAFE_CALLS(DEFINE)
#undef DEFINE

static struct unsafe_call *const calls[] = {
#define ADDRESS(symbol, name) &forkhound_call_##symbol,
    FH_UNSAFE_CALLS(ADDRESS)
#undef ADDRESS
};

enum { CALLS = sizeof calls / sizeof calls[0] };

static _Atomic bool thread_made;

// Read by the wrappers, beside the structs: one page less to be touched.
__attribute__((visibility("hidden"), section(".data"))) unsigned char forkhound_watched;

static void *
resolve(struct unsafe_call *c)
{
  int saved = errno;

  // A race of threads, which all find the same.
  if (!c->real)
    c->real = dlsym(RTLD_NEXT, c->symbol);
  errno = saved;
  return c->real;
}

// The slow way of a wrapper: notes the call, returns the real function.
__attribute__((visibility("hidden"))) void *
forkhound_enter_call(struct unsafe_call *c)
{
  if (forkhound_watched)
    c->called = true;
  return resolve(c);
}

// On entry: the address of the struct, above it the return address of the wrapper's caller. All
// registers that may hold arguments are kept (x86-64 psABI 3.2.3; al counts the vector registers of
// a variadic call).
__asm__(".text\n"
        ".hidden forkhound_slow_call\n"
        ".globl forkhound_slow_call\n"
        ".type forkhound_slow_call,@function\n"
        "forkhound_slow_call:\n"
        ".cfi_startproc\n"
        ".cfi_def_cfa_offset 16\n"
        "  pushq %rbp\n"
        ".cfi_def_cfa_offset 24\n"
        ".cfi_offset rbp, -24\n"
        "  movq %rsp, %rbp\n"
        ".cfi_def_cfa_register rbp\n"
        "  andq $-16, %rsp\n"
        "  subq $192, %rsp\n"
        "  movq %rdi, 0(%rsp)\n"
        "  movq %rsi, 8(%rsp)\n"
        "  movq %rdx, 16(%rsp)\n"
        "  movq %rcx, 24(%rsp)\n"
        "  movq %r8, 32(%rsp)\n"
        "  movq %r9, 40(%rsp)\n"
        "  movq %rax, 48(%rsp)\n"
        "  movaps %xmm0, 64(%rsp)\n"
        "  movaps %xmm1, 80(%rsp)\n"
        "  movaps %xmm2, 96(%rsp)\n"
        "  movaps %xmm3, 112(%rsp)\n"
        "  movaps %xmm4, 128(%rsp)\n"
        "  movaps %xmm5, 144(%rsp)\n"
        "  movaps %xmm6, 160(%rsp)\n"
        "  movaps %xmm7, 176(%rsp)\n"
        "  movq 8(%rbp), %rdi\n"
        "  call forkhound_enter_call\n"
        "  movq %rax, %r11\n"
        "  movq 0(%rsp), %rdi\n"
        "  movq 8(%rsp), %rsi\n"
        "  movq 16(%rsp), %rdx\n"
        "  movq 24(%rsp), %rcx\n"
        "  movq 32(%rsp), %r8\n"
        "  movq 40(%rsp), %r9\n"
        "  movq 48(%rsp), %rax\n"
        "  movaps 64(%rsp), %xmm0\n"
        "  movaps 80(%rsp), %xmm1\n"
        "  movaps 96(%rsp), %xmm2\n"
        "  movaps 112(%rsp), %xmm3\n"
        "  movaps 128(%rsp), %xmm4\n"
        "  movaps 144(%rsp), %xmm5\n"
        "  movaps 160(%rsp), %xmm6\n"
        "  movaps 176(%rsp), %xmm7\n"
        "  leave\n"
        ".cfi_def_cfa rsp, 16\n"
        "  addq $8, %rsp\n"
        ".cfi_def_cfa_offset 8\n"
        "  jmp *%r11\n"
        ".cfi_endproc\n"
        ".size forkhound_slow_call,.-forkhound_slow_call\n");

#define WRAPPER(symbol, name)                                                                      \
  __asm__(".globl " #symbol "\n"                                                                   \
          ".type " #symbol ",@function\n" #symbol ":\n"                                            \
          ".cfi_startproc\n"                                                                       \
          "  endbr64\n"                                                                            \
          "  cmpb $0, forkhound_watched(%rip)\n"                                                   \
          "  jne 1f\n"                                                                             \
          "  movq forkhound_call_" #symbol "(%rip), %r11\n"                                        \
          "  testq %r11, %r11\n"                                                                   \
          "  jz 1f\n"                                                                              \
          "  jmp *%r11\n"                                                                          \
          "1:\n"                                                                                   \
          "  leaq forkhound_call_" #symbol "(%rip), %r11\n"                                        \
          "  pushq %r11\n"                                                                         \
          ".cfi_adjust_cfa_offset 8\n"                                                             \
          "  jmp forkhound_slow_call\n"                                                            \
          ".cfi_endproc\n"                                                                         \
          ".size " #symbol ",.-" #symbol "\n");

FH_UNSAFE_CALLS(WRAPPER)

void
unsafe_calls_resolve(void)
{
  for (unsigned i = 0; i < CALLS; i++)
    resolve(calls[i]);
}

void
unsafe_calls_watch(void)
{
  if (forkhound_watched) {  // of the parent, which is such a child too
    for (unsigned i = 0; i < CALLS; i++)
      calls[i]->called = false;
    thread_made = false;
  }
  forkhound_watched = 1;
}

void
unsafe_calls_thread(void)
{
  if (forkhound_watched)
    thread_made = true;
}

// They change the environment, what is buffered for output, the list of modules, or what getpwent()
// and its like go on with.
const char *
unsafe_calls_borrowed(void)
{
  static const char *const names[] = {
      "setenv",    "unsetenv", "putenv",  "clearenv", "printf",   "vprintf", "fprintf", "vfprintf",
      "puts",      "fputs",    "putchar", "putc",     "fputc",    "fwrite",  "fflush",  "perror",
      "setlocale", "openlog",  "syslog",  "vsyslog",  "closelog", "dlopen",  "dlclose"};

  for (unsigned i = 0; i < CALLS; i++) {
    for (unsigned k = 0; calls[i]->called && k < sizeof names / sizeof names[0]; k++) {
      if (strcmp(calls[i]->name, names[k]) == 0)
        return names[k];
    }
  }
  return NULL;
}

static void
add_name(struct text *t, const char *key, const char *name, bool *any)
{
  if (*any)
    text_add_string(t, ",");
  else
    text_add(t, ",\"%s\":[", key);
  text_add_json(t, name);
  *any = true;
}

void
unsafe_calls_list(struct text *t)
{
  const char *last = "";

  for (unsigned i = 0; i < CALLS; i++) {
    if (!calls[i]->called || strcmp(calls[i]->name, last) == 0)
      continue;
    text_add(t, "%s%s", *last ? ", " : "", calls[i]->name);
    last = calls[i]->name;
  }
}

void
unsafe_calls_add(struct text *t, const char *key)
{
  bool any = false;
  const char *last = "";

  for (unsigned i = 0; i < CALLS; i++) {
    // Two symbols of one name stand side by side.
    if (calls[i]->called && strcmp(calls[i]->name, last) != 0)
      add_name(t, key, last = calls[i]->name, &any);
  }
  if (thread_made)
    add_name(t, key, "pthread_create", &any);
  if (any)
    text_add_string(t, "]");
}
