// What the kernel headers of older systems lack. Source: Linux 6.7,
// include/uapi/linux/userfaultfd.h and include/uapi/linux/fs.h;
// Documentation/admin-guide/mm/{userfaultfd,pagemap}.rst.
#pragma once

#include <linux/ioctl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>

#ifndef UFFD_USER_MODE_ONLY
#  define UFFD_USER_MODE_ONLY 1
#endif
// A write to a protected page is let through at once, and the page remembers it.
#define FH_UFFD_FEATURE_WP_ASYNC (1ull << 15)

// Of a page that was not written since it was protected: present, without PAGE_WRITTEN.
enum {
  PAGE_WPALLOWED = 1 << 0,
  PAGE_WRITTEN = 1 << 1,
  PAGE_FILE = 1 << 2,
  PAGE_PRESENT = 1 << 3,
  PAGE_SWAPPED = 1 << 4,
  PAGE_PFNZERO = 1 << 5,
};

enum { PAGEMAP_WP_MATCHING = 1 << 0 };  // protect the pages found

struct pagemap_region {
  uint64_t start, end;
  uint64_t categories;
};

struct pagemap_scan {
  uint64_t size;  // of this struct
  uint64_t flags;
  uint64_t start, end;
  uint64_t walk_end;  // out: where it ended
  uint64_t regions, region_count;
  uint64_t max_pages;  // 0: all
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define FH_PAGEMAP_SCAN _IOWR('f', 16, struct pagemap_scan)
