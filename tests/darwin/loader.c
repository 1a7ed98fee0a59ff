// Runs a program of macOS for x86-64 on Linux, as far as the library needs it: maps the program and
// the library as dyld would insert it, binds both to libsystem.c, puts the replacements of
// __interpose in the place of what the program calls, and calls main(). Says on stderr at the end
// what the program and the library owe the kernel, and exits with 97 if that is anything.
//
//   macho_loader [--only-handlers] LIBRARY PROGRAM [ARGUMENT...]
//
// With --only-handlers no fork-like call of the program is replaced.
#include "image.h"
#include "libsystem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAIRS = 64 };

static const struct image *library;
static struct {
  const char *symbol;
  void *replacement;
} pairs[PAIRS];
static int pair_count;
static bool only_handlers;

// Of the library: real functions, and the symbol of each pair, whose replacement is there already.
static void
bind_library(const struct image *image, uint64_t address, const char *symbol)
{
  const struct section_64 *s = image_section(image, 0, "__interpose");
  uint64_t start = s ? s->addr + image->slide : 0;

  *(void **)address = libsystem_find(symbol);
  if (!s || address < start || address >= start + s->size)
    return;
  if (pair_count == PAIRS)
    die("more than %d pairs", PAIRS);
  pairs[pair_count].symbol = symbol;
  pairs[pair_count++].replacement = *(void **)(address - 8);
}

static void
bind_program(const struct image *image, uint64_t address, const char *symbol)
{
  bool replaced = !only_handlers || !strstr(symbol, "fork") || strstr(symbol, "atfork");

  (void)image;
  *(void **)address = libsystem_find(symbol);
  for (int i = 0; i < pair_count && replaced; i++) {
    if (strcmp(pairs[i].symbol, symbol) == 0)
      *(void **)address = pairs[i].replacement;
  }
}

// The variables of a thread lie in a block of ours: all of them begin as zeroes.
__attribute__((used)) static __thread _Alignas(16) unsigned char thread_block[4096];

// Called with a descriptor in rdi: what its variable's address is. All registers but rax and rdi
// must be kept.
__attribute__((naked)) static void
thread_variable(void)
{
  __asm__("movq 16(%rdi), %rax\n\t"
          "addq %fs:0, %rax\n\t"
          "leaq thread_block@tpoff(%rax), %rax\n\t"
          "ret");
}

struct thread_descriptor {
  void (*get)(void);
  uint64_t key, offset;
};

static void
prepare_thread_variables(const struct image *image)
{
  const struct section_64 *s = image_section(image, S_THREAD_LOCAL_VARIABLES, NULL);

  if (image_section(image, S_THREAD_LOCAL_REGULAR, NULL))
    die("%s: thread variables that do not begin as zeroes", image->path);
  for (uint64_t i = 0; s && i < s->size / sizeof(struct thread_descriptor); i++) {
    struct thread_descriptor *d = (void *)(s->addr + image->slide);
    if (d[i].offset >= sizeof thread_block - 1024)
      die("%s: more than %zu bytes of thread variables", image->path, sizeof thread_block);
    d[i].get = thread_variable;
  }
}

static void
initialize(const struct image *image, int argc, char **argv)
{
  const struct section_64 *s = image_section(image, S_MOD_INIT_FUNC_POINTERS, NULL);

  for (uint64_t i = 0; s && i < s->size / 8; i++) {
    void (*function)(int, char **, char **, char **);
    memcpy(&function, (const void *)(s->addr + image->slide + 8 * i), sizeof function);
    function(argc, argv, environ, argv + argc);
  }
}

int
main(int argc, char **argv)
{
  only_handlers = argc > 1 && strcmp(argv[1], "--only-handlers") == 0;
  argv += only_handlers;
  argc -= only_handlers;
  if (argc < 3)
    die("expected LIBRARY PROGRAM [ARGUMENT...]");
  const struct image *program = image_map(argv[2]);
  library = image_map(argv[1]);
  libsystem_start(argv[2]);
  image_bind(library, bind_library);
  image_bind(program, bind_program);
  prepare_thread_variables(library);
  prepare_thread_variables(program);
  initialize(library, argc - 2, argv + 2);
  initialize(program, argc - 2, argv + 2);
  if (!program->entry)
    die("%s: no LC_MAIN", program->path);
  libsystem_exit(libsystem_call_main(program->entry, argc - 2, argv + 2));
}
