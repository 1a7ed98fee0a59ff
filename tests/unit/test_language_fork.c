#include "policy/language_runtimes.h"
#include "common/config/builtin_site_rules.h"
#include "common/text/text_buffer.h"

#include <criterion/criterion.h>
#include <string.h>

Test(language_fork, is_known_by_its_function)
{
  cr_assert(language_fork("libpython3.11.so.1.0", "os_fork", true));
  cr_assert(language_fork("libpython3.11.so.1.0", "os_fork_impl", true));
  cr_assert(language_fork("python3.11", "os_fork_impl.isra.0", false));
  cr_assert(language_fork("libruby-3.1.so.3.1", "rb_fork_ruby", true));
  cr_assert(language_fork("libapr-1.so.0", "apr_proc_create", true));
  cr_assert_null(language_fork("libfoo.so", "os_forks", false));
  cr_assert_null(language_fork("libruby-3.1.so.3.1", "rb_fork_async_signal_safe", false));
}

Test(language_fork, without_symbols_an_interpreter_needs_an_offset)
{
  cr_assert(language_fork("libruby-3.1.so.3.1", "-", false));
  cr_assert(language_fork("python3.11", "-", false));
  cr_assert_null(language_fork("libruby-3.1.so.3.1", "-", true));
  cr_assert_null(language_fork("git", "-", false));
}

Test(sites_known, names_what_the_help_prints)
{
  char bytes[8192];
  struct text help = {.bytes = bytes, .size = sizeof bytes};
  const char *why = sites_known("libjava.so", "Java_java_lang_ProcessImpl_forkAndExec");

  sites_help(&help);
  cr_assert(why && strstr(bytes, why));
  cr_assert_not(help.truncated);
  cr_assert_null(sites_known("libjava.so", "other"));
  cr_assert_null(sites_known("libuv.so.1", "uv_spawn"));
}
