#include "model_internal.h"
#include "base/json_fields.h"
#include "base/message.h"

#include <stdlib.h>
#include <string.h>

struct site *
model_site(struct model *model, const char *id)
{
  json_t *position = json_object_get(model->site_index, id);
  if (position)
    return model->sites[json_integer_value(position)];
  struct site *site = xrealloc(NULL, sizeof *site);
  *site = (struct site){0};
  model->sites = xrealloc(model->sites, (model->site_count + 1) * sizeof *model->sites);
  json_object_set_new(model->site_index, id, json_integer((json_int_t)model->site_count));
  model->sites[model->site_count++] = site;
  return site;
}

// One place in the program, whichever process is there: where in Python or, of other programs, the
// stack; and who had made the threads. The caller frees it.
static char *
place_key(const json_t *event)
{
  json_t *python = get_array(event, "python"), *place = json_array(), *groups = json_object(),
         *item;
  bool native = !json_array_size(python);
  size_t i;
  json_array_foreach(native ? get_array(event, "site") : python, i, item)
  {
    json_array_append(place, json_object_get(item, native ? "module" : "file"));
    json_array_append(place, json_object_get(item, native ? "offset" : "line"));
    json_array_append(place, json_object_get(item, native ? "" : "function"));
  }
  json_array_foreach(get_array(event, "groups"), i, item)
  {
    const char *module = get_string(item, "module");
    if (module)
      json_object_set_new(groups, module, json_true());
  }
  json_t *all = json_pack("[O?,o,o]", json_object_get(event, "exe"), place, groups);
  char *key = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
  json_decref(all);
  return key ? key : xstrdup("");
}

struct site *
model_site_of_first(struct model *model, const json_t *event, const char *id)
{
  if (!json_array_size(get_array(event, "site")))
    return model_site(model, id);
  char *key = place_key(event);
  // A later fork of this one's site may have come before it.
  bool early = json_object_get(model->site_index, id);
  struct site *site = model_site(model, early ? id : key);
  json_object_set(model->site_index, early ? key : id,
                  json_object_get(model->site_index, early ? id : key));
  free(key);
  return site;
}
