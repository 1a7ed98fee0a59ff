// What each fork child runs stands together: for each 64 KiB of code that it comes to it takes a
// page fault (mm/memory.c, do_fault_around()).
#pragma once

#define IN_EACH_CHILD __attribute__((hot))
