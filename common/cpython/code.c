#include "reader_internal.h"

#include "line_table.h"
#include "utf8.h"

#include <limits.h>
#include <string.h>

enum { MOST_CHARACTERS = 1024 };

const char *
python_text(struct python *p, uint64_t object)
{
  const struct python_layout *l = &p->layout;
  uint64_t count;
  uint32_t state;

  if (!python_has_type(p, object, PYTHON_STRING) ||
      !pages_read(&p->pages, object + l->string_length, &count, sizeof count) ||
      !pages_read(&p->pages, object + l->string_state, &state, sizeof state))
    return NULL;
  state >>= l->state_shift;
  int width = state & 7;
  bool compact = state >> 3 & 1, ascii = state >> 4 & 1;
  if (!compact || (width != 1 && width != 2 && width != 4) || (ascii && width != 1) ||
      count > INT_MAX)
    return NULL;
  if (count > MOST_CHARACTERS)
    count = MOST_CHARACTERS;
  uint64_t at = object + (ascii ? l->string_ascii : l->string_compact);
  char *text = p->text + p->text_used;
  if (!pages_read(&p->pages, at, p->scratch, count * (size_t)width))
    return NULL;
  long length = python_utf8(text, TEXT_BYTES - p->text_used, p->scratch, count, width);
  if (length < 0)
    return NULL;
  p->text_used += (size_t)length;
  if (p->text_used < TEXT_BYTES - 1)
    p->text_used++;  // else what follows is empty
  return text;
}

static bool
read_code(struct python *p, uint64_t address, struct code *code)
{
  const struct python_layout *l = &p->layout;

  memset(code, 0, sizeof *code);
  if (!python_has_type(p, address, PYTHON_CODE))
    return false;
  uint64_t table = pages_pointer(&p->pages, address + l->code_lines), length;
  if (!pages_read(&p->pages, address + l->code_first_line, &code->first_line,
                  sizeof code->first_line) ||
      !python_has_type(p, table, PYTHON_BYTES) ||
      !pages_read(&p->pages, table + l->bytes_length, &length, sizeof length))
    return false;
  code->file = python_text(p, pages_pointer(&p->pages, address + l->code_filename));
  code->function = python_text(p, pages_pointer(&p->pages, address + l->code_name));
  if (!code->file || !code->function)
    return false;
  code->table = table + l->bytes_data;
  code->table_length = length;
  for (int i = 0; i < LINES_KNOWN; i++)
    code->known[i].at = INT_MIN;
  code->address = address;
  return true;
}

struct code *
python_code_at(struct python *p, uint64_t address)
{
  size_t i = (address / 16 * 0x9e3779b97f4a7c15ul) >> 32;

  for (;; i++) {
    uint16_t *hashed = &p->hashed[i % HASHED];
    struct code *code = *hashed ? &p->codes[*hashed] : &p->codes[p->code_count + 1];
    if (*hashed && code->address == address)
      return code;
    if (*hashed)
      continue;
    bool room = p->code_count + 1 < CODES;
    if (!room)
      code = &p->codes[0];  // for this once
    if (!read_code(p, address, code))
      return NULL;
    if (room)
      *hashed = (uint16_t)++p->code_count;
    return code;
  }
}

int
python_code_line(struct python *p, struct code *code, int at)
{
  int i = (unsigned int)at / 2 % LINES_KNOWN;

  if (code->known[i].at != at) {
    code->known[i].at = at;
    // A table that cannot be read, or is too long, tells no lines.
    bool readable = code->table_length <= MOST_TABLE &&
                    pages_read(&p->pages, code->table, p->scratch, code->table_length);
    code->known[i].line = readable ? python_line(p->layout.lines, p->scratch, code->table_length,
                                                 code->first_line, at)
                                   : 0;
  }
  return code->known[i].line;
}
