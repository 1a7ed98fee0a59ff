// The wrappers jump to the real function and leave the caller's frame alone: many are variadic, and
// dlopen() looks at its return address. Where nothing is watched they cost a test and a jump.
#include "process/unsafe_calls.h"

#include "redirect/promote_child.h"
#include "redirect/vfork_state.h"
#include "attributes/child_ids.h"
#include "redirect/child_signals.h"
#include "learn/close_calls.h"
#include "os/hot.h"
#include "learn/learn.h"
#include "libc/next_symbol.h"
#include "raw_syscall.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

// The wrappers' names for them.
struct unsafe_call {
  void *real;
  void *own;  // the form for a borrowed child and one that is learned from, or NULL
  _Atomic unsigned char called;  // in a child of these bits of forkhound_watched
  unsigned char effect;          // enum call_effect
  char name[20];                 // "" for one that is not unsafe
  char symbol[26];
};
_Static_assert(sizeof(struct unsafe_call) == 64, "what the wrappers know");

#define OWN_SHARES(symbol) NULL
#define OWN_MAKES_REAL(symbol) NULL
#define OWN_NAMES_PROCESS(symbol) NULL
#define OWN_CHANGES_IDS(symbol) (void *)own_##symbol
#define OWN_OWN_FORM(symbol) (void *)own_##symbol
#define ROW(symbol_, name_, effect_)                                                               \
  {.symbol = #symbol_, .name = name_, .effect = effect_, .own = OWN_##effect_(symbol_)},
#define UNSAFE_ROW(symbol, name, effect) ROW(symbol, #name, effect)
#define BORROWED_ROW(symbol, effect) ROW(symbol, "", effect)
__attribute__((visibility("hidden"))) struct unsafe_call forkhound_calls[] = {
    FH_UNSAFE_CALLS(UNSAFE_ROW) FH_BORROWED_CALLS(BORROWED_ROW) FH_OWN_CALLS(BORROWED_ROW)};

enum {
  CALLS = sizeof forkhound_calls / sizeof forkhound_calls[0],
  ENVIRONMENT_CALLS = 4,  // the first ones
  // Bits of forkhound_watched.
  WATCHED = 1,   // the child of a multithreaded fork
  BORROWED = 2,  // a process whose forks may be redirected, or a borrowed child of it
  LEARNS = 4,    // a child that is learned from
};

static _Atomic bool thread_made;

// Read by the wrappers, beside the structs: one page less to be touched.
__attribute__((visibility("hidden"), section(".data"))) unsigned char forkhound_watched;

static void *
resolve(struct unsafe_call *c)
{
  int saved = errno;

  // A race of threads, which all find the same.
  if (!c->real)
    c->real = next_symbol(c->symbol);
  errno = saved;
  return c->real;
}

// What throws in C++ is in no library of the global scope where only libraries have it that were
// loaded with dlopen(), and they need not all have the same. So it is kept for each caller: in the
// child of a fork nothing has to be looked for.
static struct {
  _Atomic(const void *) caller;  // written after `real`
  void *real;
} of_callers[32];

static void *
resolve_for(struct unsafe_call *c, const void *caller)
{
  enum { PLACES = sizeof of_callers / sizeof of_callers[0] };
  static const char taken;
  int i = 0;

  if (c->real)
    return c->real;
  for (const void *known; i < PLACES && (known = of_callers[i].caller); i++) {
    if (known == caller)
      return of_callers[i].real;
  }
  if (resolve(c))
    return c->real;
  int saved = errno;
  void *real = symbol_for(c->symbol, caller);
  errno = saved;
  for (const void *none = NULL; real && i < PLACES; i++, none = NULL) {
    if (!atomic_compare_exchange_strong(&of_callers[i].caller, &none, &taken))
      continue;
    of_callers[i].real = real;
    of_callers[i].caller = caller;
    break;
  }
  return real;
}

// A child that names itself or its group means what it has become.
static void
make_real(const struct unsafe_call *c, uint64_t *first_argument)
{
  pid_t before = borrowed->child, named = (pid_t)*first_argument;

  char reason[48];
  snprintf(reason, sizeof reason, "called %s", c->symbol);
  become_real(reason, REAL_WHOLE);
  if (c->effect == NAMES_PROCESS && (named == before || named == -before))
    *first_argument = (uint64_t)(named < 0 ? -getpid() : getpid());
}

// The slow way of a wrapper: notes the call, returns the real function.
__attribute__((visibility("hidden"))) void *
forkhound_enter_call(struct unsafe_call *c, uint64_t *arguments, const void *caller)
{
  if (!borrowed && c < forkhound_calls + ENVIRONMENT_CALLS)
    borrow_changes.environment++;
  if (!borrowed && c->effect == CHANGES_IDS)
    borrow_changes.dumpable++;
  if (borrowed && (c->effect == MAKES_REAL || c->effect == NAMES_PROCESS))
    make_real(c, arguments);
  if (forkhound_watched & (WATCHED | LEARNS))
    c->called |= forkhound_watched & (WATCHED | LEARNS);
  return c->own && (borrowed || learn_watches()) ? c->own : resolve_for(c, caller);
}

// On entry: r11 is the address of the struct; all registers that may hold arguments are kept
// (x86-64 psABI 3.2.3; al counts the vector registers of a variadic call).
__asm__(".text\n"
        ".hidden forkhound_slow_call\n"
        ".globl forkhound_slow_call\n"
        ".type forkhound_slow_call,@function\n"
        "forkhound_slow_call:\n"
        ".cfi_startproc\n"
        "  pushq %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset rbp, -16\n"
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
        "  movq %r11, %rdi\n"
        "  movq %rsp, %rsi\n"
        "  movq 8(%rbp), %rdx\n"
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
        ".cfi_def_cfa rsp, 8\n"
        "  jmp *%r11\n"
        ".cfi_endproc\n"
        ".size forkhound_slow_call,.-forkhound_slow_call\n");

// No wrapper moves the stack pointer: one entry of the unwind tables does for all.
#define WRAPPER_FOR(bits, symbol)                                                                  \
  ".globl " #symbol "\n"                                                                           \
  ".type " #symbol ",@function\n" #symbol ":\n"                                                    \
  "  endbr64\n"                                                                                    \
  "  testb $" bits ", forkhound_watched(%rip)\n"                                                   \
  "  jne 1f\n"                                                                                     \
  "  movq forkhound_calls+forkhound_row(%rip), %r11\n"                                             \
  "  testq %r11, %r11\n"                                                                           \
  "  jz 1f\n"                                                                                      \
  "  jmp *%r11\n"                                                                                  \
  "1:\n"                                                                                           \
  "  leaq forkhound_calls+forkhound_row(%rip), %r11\n"                                             \
  "  jmp forkhound_slow_call\n"                                                                    \
  ".size " #symbol ",.-" #symbol "\n"                                                              \
  ".set forkhound_row, forkhound_row+64\n"
#define WRAPPER(symbol, ...) WRAPPER_FOR("7", symbol)
#define OWN_WRAPPER(symbol, ...) WRAPPER_FOR("6", symbol)

__asm__(".set forkhound_row, 0\n.cfi_startproc\n" FH_UNSAFE_CALLS(WRAPPER)
            FH_BORROWED_CALLS(WRAPPER) FH_OWN_CALLS(OWN_WRAPPER) ".cfi_endproc\n");

void
unsafe_calls_resolve(void)
{
  for (struct unsafe_call *c = forkhound_calls; c < forkhound_calls + CALLS; c++)
    resolve(c);
}

void
unsafe_calls_borrow(void)
{
  forkhound_watched |= BORROWED;
}

void
unsafe_calls_learn(bool learns)
{
  if (learns)
    forkhound_watched |= LEARNS;
  else
    forkhound_watched &= (unsigned char)~LEARNS;
}

IN_EACH_CHILD void
unsafe_calls_watch(void)
{
  if (forkhound_watched & WATCHED) {  // of the parent, which is such a child too
    for (struct unsafe_call *c = forkhound_calls; c < forkhound_calls + CALLS; c++)
      c->called = 0;
    thread_made = false;
  }
  forkhound_watched |= WATCHED;
}

void
unsafe_calls_thread(void)
{
  if (forkhound_watched & WATCHED)
    thread_made = true;
}

const char *
unsafe_calls_borrowed(void)
{
  for (const struct unsafe_call *c = forkhound_calls; c < forkhound_calls + CALLS; c++) {
    if ((c->called & LEARNS) && (c->effect == MAKES_REAL || c->effect == NAMES_PROCESS))
      return c->symbol;
  }
  return NULL;
}

bool
unsafe_calls_any(pid_t child)
{
  struct unsafe_call theirs[CALLS] = {{.called = 0}};
  struct iovec local = {theirs, sizeof theirs}, remote = {forkhound_calls, sizeof theirs};

  if (RAW(SYS_process_vm_readv, child, &local, 1, &remote, 1, 0) != (long)sizeof theirs)
    return false;
  for (unsigned i = 0; i < CALLS; i++) {
    if (theirs[i].called && theirs[i].name[0])
      return true;
  }
  return false;
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

  for (const struct unsafe_call *c = forkhound_calls; c < forkhound_calls + CALLS; c++) {
    if (!(c->called & LEARNS) || !c->name[0] || strcmp(c->name, last) == 0)
      continue;
    text_add(t, "%s%s", *last ? ", " : "", c->name);
    last = c->name;
  }
}

void
unsafe_calls_add(struct text *t, const char *key)
{
  bool any = false;
  const char *last = "";

  for (const struct unsafe_call *c = forkhound_calls; c < forkhound_calls + CALLS; c++) {
    // Two symbols of one name stand side by side.
    if (c->called && c->name[0] && strcmp(c->name, last) != 0)
      add_name(t, key, last = c->name, &any);
  }
  if (thread_made)
    add_name(t, key, "pthread_create", &any);
  if (any)
    text_add_string(t, "]");
}
