/* The seccomp filters that we run under, those of a container most often, and that the command will
   run under too. */
#ifndef FORKHOUND_FILTER_PROBE_H
#define FORKHOUND_FILTER_PROBE_H

/* How many they are, if a process of ours that calls what the library needs to stop threads comes
   through; 0: there are none, or it does not. The library cannot try: a filter may kill. */
int filter_probe(void);

#endif
