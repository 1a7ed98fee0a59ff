// Whose code a Python file is.
#pragma once

// Each is called by the ones before it, as a rule.
enum python_owner { PYTHON_OWN, PYTHON_PACKAGE, PYTHON_LIBRARY };

// Whether the file is the user's, of an installed package, or of Python's standard library: nobody
// looks for his bug in the latter two. `*shorter` is what follows ".../site-packages/" or
// ".../lib/python3.N/", for the user's files all of it: it points into `file`. Pure.
enum python_owner python_file_owner(const char *file, const char **shorter);
