// A fork as text for a person: which fork, which threads, who made them, what to do.
#pragma once

#include "fork_report.h"
#include "common/text/text_buffer.h"

void report_fork(struct text *t, const struct story *story, bool color);
