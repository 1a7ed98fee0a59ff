// A library that throws exceptions, and throws them again: see thrower.c.
#include <stdexcept>

extern "C" int
caught(int times)
{
  int n = 0;
  for (int i = 0; i < times; i++) {
    try {
      try {
        throw std::runtime_error("thrown");
      } catch (const std::exception &) {
        throw;
      }
    } catch (const std::exception &) {
      n++;
    }
  }
  return n;
}
