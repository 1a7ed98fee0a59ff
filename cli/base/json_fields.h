// Reading fields of events: what is missing or of another type gives the default.
#pragma once

#include <jansson.h>

// NULL when absent
static inline const char *
get_string(const json_t *object, const char *key)
{
  return json_string_value(json_object_get(object, key));
}

// Within limits that no honest event comes near, so that sums and differences do not overflow.
static inline long long
get_integer(const json_t *object, const char *key)
{
  static const long long most = (1LL << 62) - 1;
  long long value = (long long)json_integer_value(json_object_get(object, key));
  return value > most ? most : value < -most ? -most : value;
}

// NULL when absent or not an array
static inline json_t *
get_array(const json_t *object, const char *key)
{
  json_t *value = json_object_get(object, key);
  return json_is_array(value) ? value : NULL;
}

// The thread with this tid in an array like `others` of a fork event (NULL: none is there); a
// borrowed reference.
static inline json_t *
find_thread(const json_t *others, long long tid)
{
  size_t i;
  json_t *other;
  json_array_foreach((json_t *)others, i, other)
  {
    if (get_integer(other, "tid") == tid)
      return other;
  }
  return NULL;
}
