#include "file_capabilities.h"

bool
file_capabilities_secure(const struct vfs_ns_cap_data *capabilities, long length)
{
  // The first version has one word, the others two; the kernel gives the last only where it holds.
  if (length < (long)XATTR_CAPS_SZ_1)
    return false;
  return (capabilities->magic_etc & VFS_CAP_FLAGS_EFFECTIVE) != 0 ||
         capabilities->data[0].permitted != 0 ||
         (length >= (long)XATTR_CAPS_SZ_2 && capabilities->data[1].permitted != 0);
}
