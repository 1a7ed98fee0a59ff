// Python frames are not read on this system yet: a story has no interpreter.
#include "process/pythonpath.h"
#include "report/python_frames.h"

uint64_t
python_story_fill(struct story *story, struct snapshot *snapshot, void *pages)
{
  (void)story;
  (void)snapshot;
  (void)pages;
  return 0;
}

void
python_story_free(void)
{
}

uint64_t
python_story_place(void)
{
  return 0;
}

void
python_story_keep(void)
{
}

uint64_t
python_story_kept(void)
{
  return 0;
}

void
python_story_test(struct story *story)
{
  (void)story;
}

const char *
python_version(const struct python *python)
{
  (void)python;
  return "";
}

const char *
python_note(const struct python *python)
{
  (void)python;
  return NULL;
}

bool
python_is_evaluation(const struct python *python, uint64_t pc)
{
  (void)python;
  (void)pc;
  return false;
}

bool
python_path_lost(char *const environment[])
{
  (void)environment;
  return false;
}

size_t
python_path_size(char *const environment[])
{
  (void)environment;
  return 0;
}

char *
python_path_restore(char *const environment[], char *text)
{
  (void)environment;
  return text;
}

bool
python_path_is(const char *variable)
{
  (void)variable;
  return false;
}
