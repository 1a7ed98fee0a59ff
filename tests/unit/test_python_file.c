#include "common/cpython/source_owner.h"

#include <criterion/criterion.h>

Test(python_file, whose_and_what_is_shown)
{
  static const struct {
    const char *file;
    enum python_owner owner;
    const char *shorter;
  } files[] = {
      {"/usr/lib/python3.11/queue.py", PYTHON_LIBRARY, "queue.py"},
      {"/opt/3.8/lib/python3.8/multiprocessing/util.py", PYTHON_LIBRARY, "multiprocessing/util.py"},
      {"/opt/lib/python3.14t/queue.py", PYTHON_LIBRARY, "queue.py"},
      {"<frozen importlib._bootstrap>", PYTHON_LIBRARY, "<frozen importlib._bootstrap>"},
      {"/v/lib/python3.12/site-packages/a/b.py", PYTHON_PACKAGE, "a/b.py"},
      {"/usr/local/lib/python3.11/dist-packages/a.py", PYTHON_PACKAGE, "a.py"},
      {"/usr/lib/python3/dist-packages/a.py", PYTHON_PACKAGE, "a.py"},
      {"/srv/lib/python3.py", PYTHON_OWN, "/srv/lib/python3.py"},
      {"/srv/lib/python3.tests/a.py", PYTHON_OWN, "/srv/lib/python3.tests/a.py"},
      {"/srv/my-packages/a.py", PYTHON_OWN, "/srv/my-packages/a.py"},
      {"<string>", PYTHON_OWN, "<string>"},
      {"", PYTHON_OWN, ""},
  };

  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    const char *shorter;
    cr_assert_eq(python_file_owner(files[i].file, &shorter), files[i].owner, "%s", files[i].file);
    cr_assert_str_eq(shorter, files[i].shorter);
  }
}
