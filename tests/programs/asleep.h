// Waits until all threads but the caller sleep, for the tests that need them in their waits.
#pragma once

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int
is_asleep(const char *tid)
{
  char path[300], line[512] = "";

  snprintf(path, sizeof path, "/proc/self/task/%s/stat", tid);
  FILE *file = fopen(path, "r");
  if (!file)
    return 1;
  const char *end = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
  fclose(file);
  return end && strncmp(end, ") S", 3) == 0;
}

static inline void
until_all_sleep(void)
{
  for (int awake = 1; awake > 0;) {
    DIR *tasks = opendir("/proc/self/task");
    awake = 0;
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
      if (entry->d_name[0] != '.' && atol(entry->d_name) != syscall(SYS_gettid))
        awake += !is_asleep(entry->d_name);
    }
    if (tasks)
      closedir(tasks);
    sched_yield();
  }
}
