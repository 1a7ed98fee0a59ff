// Capabilities of an executable, the extended attribute security.capability (linux/capability.h).
#pragma once

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>

// Whether an exec of a file with this attribute (`length` bytes; <= 0: it has none) by a process
// whose real user is not root is one with AT_SECURE: those that it can only inherit do not count
// (security/commoncap.c, cap_bprm_creds_from_file), and no_new_privs makes no difference. The
// kernel does not look at the attribute on a file system that is mounted nosuid.
bool file_capabilities_secure(const struct vfs_ns_cap_data *capabilities, long length);
