// The seccomp filters that we run under, those of a container most often, and that the command will
// run under too.
#pragma once

#include <stdbool.h>

// How many they are, if a process of ours that calls what the library needs to stop threads, and if
// `learns` to track writes, comes through; 0: there are none, or it does not. The library cannot
// try: a filter may kill.
int filter_probe(bool learns);
