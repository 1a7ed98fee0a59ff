// The kernel keeps oom_score_adj alike in all processes that share memory (fs/proc/base.c,
// __set_oom_adj): what a borrowed child writes there becomes its parent's.
#pragma once

enum { OOM_SCORE_UNKNOWN = -10000 };

// Raw system calls; 0 descriptors stay open.
int oom_score_read(void);
// Writes it back if it has changed since.
void oom_score_restore(int score);
