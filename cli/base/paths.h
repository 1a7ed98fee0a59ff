// File names as a person wants to read them.
#pragma once

// A file name relative to the working directory, where it lies below. Points into `file`.
const char *path_relative(const char *file);
