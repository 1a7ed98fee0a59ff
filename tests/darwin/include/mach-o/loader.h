// The parts of the Mach-O format that the tests use, as in the system's mach-o/loader.h and
// mach-o/nlist.h.
#pragma once

#include <stdint.h>

enum { MH_MAGIC_64 = 0xfeedfacf, MH_EXECUTE = 2, MH_DYLIB = 6 };

struct mach_header_64 {
  uint32_t magic;
  int32_t cputype, cpusubtype;
  uint32_t filetype, ncmds, sizeofcmds, flags, reserved;
};

enum {
  LC_SYMTAB = 0x2,
  LC_SEGMENT_64 = 0x19,
  LC_UUID = 0x1b,
  LC_DYLD_INFO_ONLY = 0x22,  // with LC_REQ_DYLD, as the next
  LC_MAIN = 0x28,
};
#define LC_REQ_DYLD 0x80000000u

struct load_command {
  uint32_t cmd, cmdsize;
};

struct segment_command_64 {
  uint32_t cmd, cmdsize;
  char segname[16];
  uint64_t vmaddr, vmsize, fileoff, filesize;
  int32_t maxprot, initprot;
  uint32_t nsects, flags;
};
#define SEG_TEXT "__TEXT"

struct section_64 {
  char sectname[16], segname[16];
  uint64_t addr, size;
  uint32_t offset, align, reloff, nreloc, flags, reserved1, reserved2, reserved3;
};
enum {
  SECTION_TYPE = 0xff,
  S_MOD_INIT_FUNC_POINTERS = 0x9,
  S_THREAD_LOCAL_REGULAR = 0x11,
  S_THREAD_LOCAL_VARIABLES = 0x13,
};

struct uuid_command {
  uint32_t cmd, cmdsize;
  uint8_t uuid[16];
};

struct symtab_command {
  uint32_t cmd, cmdsize, symoff, nsyms, stroff, strsize;
};

struct nlist_64 {
  uint32_t n_strx;
  uint8_t n_type, n_sect;
  uint16_t n_desc;
  uint64_t n_value;
};
enum { N_STAB = 0xe0, N_TYPE = 0x0e, N_SECT = 0x0e };

struct dyld_info_command {
  uint32_t cmd, cmdsize, rebase_off, rebase_size, bind_off, bind_size, weak_bind_off;
  uint32_t weak_bind_size, lazy_bind_off, lazy_bind_size, export_off, export_size;
};

struct entry_point_command {
  uint32_t cmd, cmdsize;
  uint64_t entryoff, stacksize;
};
