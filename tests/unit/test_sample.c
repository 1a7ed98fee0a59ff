#include "process/darwin_sample.h"

#include <criterion/criterion.h>
#include <string.h>

static const char head[] = "Analysis of sampling app (pid 4242) every 10 milliseconds\n"
                           "Process:         app [4242]\nPath:            /Users/USER/*/app\n"
                           "----\n\nCall graph:\n";
static const char tail[] = "\nTotal number in stack (recursive counted multiple, when >=5):\n"
                           "\nSort by top of stack, same collapsed (when >= 5):\n"
                           "        __psynch_mutexwait  (in libsystem_kernel.dylib)        84\n";

static bool
read_graph(const char *graph, struct sample *sample)
{
  static char text[8192];

  snprintf(text, sizeof text, "%s%s%s", head, graph, tail);
  return sample_read(text, sample);
}

static const char *
function_at(const struct sample *sample, size_t i)
{
  const char *name =
      json_string_value(json_object_get(json_array_get(sample->stack, i), "function"));

  return name ? name : "(none)";
}

Test(sample, a_child_that_waits_for_a_mutex)
{
  struct sample sample;

  cr_assert(read_graph(
      "    84 Thread_751892   DispatchQueue_1: com.apple.main-thread  (serial)\n"
      "      84 start  (in dyld) + 2236  [0x187d3b154]\n"
      "        84 main  (in app) + 120  [0x104a3be10]\n"
      "          84 push(queue*)  (in app) + 24  [0x104a3bd80]\n"
      "            84 _pthread_mutex_firstfit_lock_slow  (in libsystem_pthread.dylib) + 220  "
      "[0x18]\n"
      "              84 _pthread_mutex_firstfit_lock_wait  (in libsystem_pthread.dylib) + 84  "
      "[0x1]\n"
      "                84 __psynch_mutexwait  (in libsystem_kernel.dylib) + 8  [0x1880b11a4]\n",
      &sample));
  cr_expect_eq(sample.count, 84);
  cr_expect_str_eq(sample.kind, "pthread_mutex");
  cr_expect_str_eq(sample.stub, "__psynch_mutexwait");
  cr_expect_eq(json_array_size(sample.stack), 6);
  cr_expect_str_eq(function_at(&sample, 0), "__psynch_mutexwait");
  cr_expect_str_eq(function_at(&sample, 3), "push(queue*)");
  cr_expect_str_eq(function_at(&sample, 5), "start");
  json_decref(sample.stack);
}

Test(sample, functions_without_a_name)
{
  struct sample sample;

  cr_assert(
      read_graph("    + 9 Thread_1\n"
                 "    +   9 ???  (in app)  load address 0x1060b9000 + 0x286f0  [0x1060e16f0]\n"
                 "    +     9 semaphore_wait_trap  (in libsystem_kernel.dylib) + 10  [0x7ff]\n",
                 &sample));
  cr_expect_str_eq(sample.kind, "semaphore");
  cr_expect_str_eq(function_at(&sample, 1), "(none)");
  json_decref(sample.stack);
}

Test(sample, a_child_that_waits_for_data_is_well)
{
  struct sample sample;

  cr_assert(read_graph("    84 Thread_1\n"
                       "      84 main  (in app) + 1  [0x1]\n"
                       "        84 read  (in libsystem_kernel.dylib) + 8  [0x2]\n",
                       &sample));
  cr_expect_null(sample.kind);
  json_decref(sample.stack);
}

Test(sample, several_threads_or_places_are_no_wait)
{
  struct sample sample;

  cr_expect_not(read_graph("    84 Thread_1\n"
                           "    + 84 __psynch_mutexwait  (in libsystem_kernel.dylib) + 8  [0x1]\n"
                           "    84 Thread_2\n"
                           "      84 __psynch_mutexwait  (in libsystem_kernel.dylib) + 8  [0x1]\n",
                           &sample));
  cr_expect_not(read_graph("    84 Thread_1\n"
                           "      84 main  (in app) + 1  [0x1]\n"
                           "      ! 83 __psynch_mutexwait  (in libsystem_kernel.dylib) + 8  [0x1]\n"
                           "      ! 1 work  (in app) + 8  [0x3]\n",
                           &sample));
}

Test(sample, what_is_none_of_its_output)
{
  struct sample sample;

  cr_expect_not(sample_read("", &sample));
  cr_expect_not(sample_read("sample cannot examine process 4242\n", &sample));
  cr_expect_not(sample_read("Call graph:\n", &sample));
  cr_expect_not(sample_read("Call graph:\n    84 Thread_1\n", &sample));
  cr_expect_not(sample_read("Call graph:\n    84 Thread_1\n      84 nonsense\n", &sample));
}
