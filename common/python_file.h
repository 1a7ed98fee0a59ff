// Whose code a Python file is.
#pragma once

// What follows ".../lib/python3.N/" if the file belongs to Python's standard library, which is
// where nobody looks for his bug; else NULL. Points into `file`. Pure.
const char *python_library_file(const char *file);
