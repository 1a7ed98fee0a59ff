#include "advice.h"
#include "symbols/python_frame.h"
#include "base/json_fields.h"
#include "base/message.h"

#include <string.h>

enum { MOST_LIBRARIES = 3, WAITING_FRAMES = 3 };

// Libraries whose own developers say what fork() does to them.
static const struct library {
  const char *name;  // the module's file name begins so; wheels append a hash
  const char *title, *text, *link;
} libraries[] = {
    {"libgomp", "GNU OpenMP",
     "its threads are not made anew in the child, where a parallel region waits for them.\n"
     "    Fork before the first parallel region, or run the parent with OMP_NUM_THREADS=1; the\n"
     "    OpenMP of LLVM and Intel (libomp, libiomp5) does survive fork()",
     "https://gcc.gnu.org/bugzilla/show_bug.cgi?id=60035"},
    {"libtorch", "PyTorch",
     "fork workers before the parent computes anything, or start them by\n"
     "    multiprocessing_context=\"spawn\" (DataLoader), torch.multiprocessing with spawn",
     "https://github.com/pytorch/pytorch/issues/17199"},
    {"libpthreadpool", "pthreadpool (of PyTorch and XNNPACK)",
     "its threads do not exist in the child: fork before the\n"
     "    pool is made, or spawn",
     "https://github.com/pytorch/pytorch/issues/17199"},
    {"cygrpc", "gRPC",
     "make channels and servers in the child only, or set GRPC_ENABLE_FORK_SUPPORT=true and\n"
     "    GRPC_POLL_STRATEGY=poll, which helps some clients",
     "https://github.com/grpc/grpc/blob/master/doc/fork_support.md"},
    {"libgrpc", "gRPC",
     "make channels and servers in the child only, or set GRPC_ENABLE_FORK_SUPPORT=true and\n"
     "    GRPC_POLL_STRATEGY=poll, which helps some clients",
     "https://github.com/grpc/grpc/blob/master/doc/fork_support.md"},
    {"_duckdb", "DuckDB",
     "open connections in the child only, or close them before the fork\n"
     "    (the default one is duckdb.default_connection())",
     "https://github.com/duckdb/duckdb-python/issues/292"},
    {"duckdb", "DuckDB",
     "open connections in the child only, or close them before the fork\n"
     "    (the default one is duckdb.default_connection())",
     "https://github.com/duckdb/duckdb-python/issues/292"},
    {"libduckdb", "DuckDB", "open the database in the child only",
     "https://github.com/duckdb/duckdb-python/issues/292"},
    {"polars", "Polars", "use spawn or forkserver; Polars runs in many threads by itself",
     "https://docs.pola.rs/user-guide/misc/multiprocessing/"},
    {"_polars", "Polars", "use spawn or forkserver; Polars runs in many threads by itself",
     "https://docs.pola.rs/user-guide/misc/multiprocessing/"},
    {"librdkafka", "librdkafka", "make producers and consumers in the process that uses them",
     "https://github.com/confluentinc/librdkafka/issues/2374"},
    {"_tensorstore", "TensorStore", "it cannot be used after fork(): use spawn",
     "https://github.com/google/tensorstore/issues/206"},
};

static const struct library *
library_of(const char *module)
{
  const char *name = module ? base_name(module) : "";
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
    if (!strncmp(name, libraries[i].name, strlen(libraries[i].name)))
      return &libraries[i];
  return NULL;
}

struct found {
  const struct library *at[MOST_LIBRARIES];
  size_t count;
};

static void
add(struct found *found, const char *module)
{
  const struct library *library = library_of(module);
  for (size_t i = 0; i < found->count; i++)
    if (library && !strcmp(found->at[i]->title, library->title))
      return;
  if (library && found->count < MOST_LIBRARIES)
    found->at[found->count++] = library;
}

// The library that waits comes first, then those that made threads.
static struct found
find(const json_t *fork, const json_t *stuck)
{
  struct found found = {.count = 0};
  json_t *item;
  size_t i;
  json_array_foreach(get_array(stuck, "stack"), i, item)
  {
    if (i == WAITING_FRAMES)
      break;
    add(&found, get_string(item, "module"));
  }
  json_array_foreach(get_array(fork, "groups"), i, item)
  {
    add(&found, get_string(item, "module"));
  }
  return found;
}

void
advice_put(FILE *out, const char *exe, const json_t *fork, const json_t *stuck)
{
  const char *name = base_name(exe);
  struct found found = find(fork, stuck);
  fputs("  What to do: ", out);
  if (python_is_forkserver(get_array(fork, "python")))
    fputs("this is the forkserver; a module that it preloads (set_forkserver_preload, or the main "
          "one)\n    has started the threads. Start them in the workers.\n",
          out);
  else if (!strncmp(name, "python", 6) || !strncmp(name, "pypy", 4))
    fputs("fork before the threads start, or use spawn or forkserver "
          "(multiprocessing.set_start_method),\n"
          "    or exec at once in the child (subprocess).\n",
          out);
  else
    fputs("fork before the threads start, or exec at once in the child (posix_spawn does both).\n",
          out);
  for (size_t i = 0; i < found.count; i++)
    fprintf(out, "    %s: %s.\n    %s\n", found.at[i]->title, found.at[i]->text, found.at[i]->link);
}
