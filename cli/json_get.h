/* Reading fields of events: what is missing or of another type gives the default. */
#ifndef FORKHOUND_JSON_GET_H
#define FORKHOUND_JSON_GET_H

#include <jansson.h>

/* NULL when absent */
static inline const char *
get_string(const json_t *object, const char *key)
{
  return json_string_value(json_object_get(object, key));
}

static inline long long
get_integer(const json_t *object, const char *key)
{
  return (long long)json_integer_value(json_object_get(object, key));
}

/* NULL when absent or not an array */
static inline json_t *
get_array(const json_t *object, const char *key)
{
  json_t *value = json_object_get(object, key);
  return json_is_array(value) ? value : NULL;
}

#endif
