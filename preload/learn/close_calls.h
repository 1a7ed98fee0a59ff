// A fork child that is learned from has two descriptors of ours. To the program they are not open:
// many children close all that they find. These stand for libc's functions of the same names there;
// elsewhere they are the same.
#pragma once

int own_close(int fd);
int own___close(int fd);
int own_close_range(unsigned int first, unsigned int last, int flags);
void own_closefrom(int first);
