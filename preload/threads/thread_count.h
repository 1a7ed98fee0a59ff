// Which threads live at the fork instant.
#pragma once

// Threads of this process, the caller included; joined and exiting threads that the kernel still
// shows do not count. Costs nothing in a process that never had a second thread, one system call in
// most others. No allocation, no locks.
int census_count(void);
