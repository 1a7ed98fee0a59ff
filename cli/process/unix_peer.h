// What is at the other end of a socket.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// The inode of the peer of a connected Unix stream or seqpacket socket of this network namespace,
// as the kernel's sock_diag tells it.
bool unix_peer(unsigned inode, unsigned *peer);

// Whether receiving or sending on the socket ends after a time; true also if that cannot be told.
bool socket_has_timeout(pid_t pid, int fd);
