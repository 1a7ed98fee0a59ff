#include "verdict.h"

#include "footprint/elf_data.h"
#include "footprint/child_memory.h"

#include <stdio.h>
#include <string.h>

void
judgement_deny(struct judgement *j, const char *reason)
{
  if (j->verdict == LESSON_DENIED)
    return;
  j->verdict = LESSON_DENIED;
  snprintf(j->notes->lesson->reason, sizeof j->notes->lesson->reason, "%s", reason);
}

void
judgement_deny_data(struct judgement *j, uint64_t address, const char *path, const char *how)
{
  struct lesson *lesson = j->notes->lesson;
  uint64_t offset = elf_data_offset(j->notes->before, address, path);
  const char *slash = strrchr(path, '/');
  char reason[sizeof lesson->reason];

  if (j->verdict == LESSON_DENIED)
    return;
  snprintf(lesson->path, sizeof lesson->path, "%s", path);
  lesson->written = offset;
  snprintf(reason, sizeof reason, "%s%.64s+0x%lx", how, slash ? slash + 1 : path,
           (unsigned long)offset);
  judgement_deny(j, reason);
}

// Which of the page's variables it was cannot be seen.
void
judgement_deny_same(struct judgement *j, uint64_t page, const char *path)
{
  if (j->verdict == LESSON_DENIED)
    return;
  judgement_deny_data(j, page, path, "wrote what was there already in the page ");
  j->notes->lesson->path[0] = 0;
}

void
judgement_deny_memory(struct judgement *j, uint64_t address)
{
  const struct snapshot *threads = j->notes->threads;
  const struct mapping *m = mappings_find(j->notes->before, address);

  if (!m) {
    judgement_deny(j, "mapped memory and wrote it");
    return;
  }
  for (int i = 0; threads && i < threads->count; i++) {
    uint64_t sp = threads->threads[i].registers.at[REG_SP];
    if (sp >= m->start && sp < m->end) {
      judgement_deny(j, "wrote the stack of another thread");
      return;
    }
  }
  if (m->name[0] == '/')
    judgement_deny_data(j, address, m->name, "wrote ");
  else if (strcmp(m->name, "[heap]") == 0)
    judgement_deny(j, "wrote the heap");
  else if (strcmp(m->name, "[stack]") == 0)
    judgement_deny(j, "wrote its arguments or environment, or the main thread's stack");
  else
    judgement_deny(j, "wrote anonymous memory");
}

void
judgement_unknown(struct judgement *j, const char *reason)
{
  if (j->verdict != LESSON_SAFE)
    return;
  j->verdict = LESSON_UNKNOWN;
  snprintf(j->notes->lesson->reason, sizeof j->notes->lesson->reason, "%s", reason);
}
