#include "process/preload_list.h"

#include "process/process.h"

#include <criterion/criterion.h>
#include <string.h>

struct process process = {.preload_name = "LD_PRELOAD=", .library = "/opt/x/libforkhound.so"};

static char *
restored(const char *variable)
{
  static char text[256];
  char copy[256], *environment[] = {(char *)"A=1", strcpy(copy, variable), NULL};

  cr_assert(preload_list_lost(environment), "%s", variable);
  cr_assert_leq(strlen(preload_list_restore(environment, text)) + 1,
                preload_list_size(environment));
  return text;
}

Test(preload_list, ours_goes_last)
{
  cr_assert_str_eq(restored("LD_PRELOAD=a.so"), "LD_PRELOAD=a.so:/opt/x/libforkhound.so");
  cr_assert_str_eq(restored("LD_PRELOAD=a.so b.so"), "LD_PRELOAD=a.so b.so:/opt/x/libforkhound.so");
  cr_assert_str_eq(restored("LD_PRELOAD="), "LD_PRELOAD=/opt/x/libforkhound.so");
  cr_assert_str_eq(restored("LD_PRELOADS=a.so"), "LD_PRELOAD=/opt/x/libforkhound.so");
  cr_assert_str_eq(restored("LD_PRELOAD=/opt/x/libforkhound.so.1"),
                   "LD_PRELOAD=/opt/x/libforkhound.so.1:/opt/x/libforkhound.so");
}

Test(preload_list, found_anywhere_under_any_path)
{
  static const char *const lists[] = {"/opt/x/libforkhound.so", "a.so:/opt/x/libforkhound.so",
                                      "a.so /opt/x/libforkhound.so b.so", "libforkhound.so:b.so",
                                      ":/elsewhere/libforkhound.so"};

  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
    char variable[256] = "LD_PRELOAD=", *environment[] = {variable, NULL};
    strcat(variable, lists[i]);
    cr_assert_not(preload_list_lost(environment), "%s", lists[i]);
  }
}

Test(preload_list, the_last_of_several_counts)
{
  char *lost[] = {(char *)"LD_PRELOAD=libforkhound.so", (char *)"LD_PRELOAD=a.so", NULL};
  char *kept[] = {(char *)"LD_PRELOAD=a.so", (char *)"LD_PRELOAD=libforkhound.so", NULL};

  cr_assert(preload_list_lost(lost));
  cr_assert_eq(preload_list_find(lost), lost + 1);
  cr_assert_not(preload_list_lost(kept));
}

Test(preload_list, none_and_too_long)
{
  static char variable[40000] = "LD_PRELOAD=";
  char *none[] = {NULL}, *too_long[] = {variable, NULL};

  cr_assert(preload_list_lost(none));
  cr_assert(preload_list_lost(NULL));
  memset(variable + 11, 'x', sizeof variable - 12);
  cr_assert_not(preload_list_lost(too_long));
  cr_assert_lt(preload_list_size(too_long), 100);
  cr_assert_null(preload_list_strip(too_long, NULL));
}

Test(preload_list, stripped)
{
  char text[256];
  char *others[] = {(char *)"LD_PRELOAD=a.so:/opt/x/libforkhound.so:b.so", NULL};
  char *alone[] = {(char *)"LD_PRELOAD=/opt/x/libforkhound.so", NULL}, *none[] = {NULL};
  char *foreign[] = {(char *)"LD_PRELOAD=a.so", NULL};

  cr_assert_str_eq(preload_list_strip(others, text), "LD_PRELOAD=a.so::b.so");
  cr_assert_str_eq(preload_list_strip(foreign, text), "LD_PRELOAD=a.so");
  cr_assert_null(preload_list_strip(alone, text));
  cr_assert_null(preload_list_strip(none, text));
}
