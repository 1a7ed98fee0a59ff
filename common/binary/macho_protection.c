#include "macho_protection.h"

#include <string.h>

enum {
  MAGIC_64 = 0xfeedfacf,
  // In big-endian byte order, as all of a fat header.
  MAGIC_FAT = 0xcafebabe,
  MAGIC_FAT_64 = 0xcafebabf,
  SUBTYPE_MASK = 0x00ffffff,
  SUBTYPE_ARM64E = 2,
  HEADER_64 = 32,
  COMMAND_SEGMENT_64 = 0x19,
  COMMAND_CODE_SIGNATURE = 0x1d,
  // In big-endian byte order, as all of a code signature.
  MAGIC_SUPERBLOB = 0xfade0cc0,
  MAGIC_CODE_DIRECTORY = 0xfade0c02,
  MAGIC_ENTITLEMENTS = 0xfade7171,
  FLAG_RESTRICT = 0x800,
  FLAG_RUNTIME = 0x10000,
  MOST_SLICES = 16,
  MOST_COMMANDS = 1024,
  MOST_BLOBS = 32,
  MOST_ENTITLEMENTS = 1 << 20,  // bytes
  WINDOW = 1024,
};

// One architecture of a file.
struct slice {
  const struct protection_file *file;
  uint64_t offset;
  uint32_t cpu, subtype;
};

static bool
read_all(const struct protection_file *file, uint64_t offset, void *to, size_t length)
{
  return file->read(file->context, offset, to, length) == length;
}

static uint32_t
big32(const unsigned char *b)
{
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint32_t
little32(const unsigned char *b)
{
  return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

static bool
begins_with_folder(const char *path, const char *folder)
{
  size_t n = strlen(folder);

  return strncmp(path, folder, n) == 0 && path[n] == '/';
}

enum protection
protection_of_path(const char *path)
{
  static const char *const folders[] = {"/System", "/bin", "/sbin", "/usr"};

  if (begins_with_folder(path, "/usr/local"))
    return PROTECTION_NONE;
  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
    if (begins_with_folder(path, folders[i]))
      return PROTECTION_SYSTEM;
  }
  return PROTECTION_NONE;
}

// How much a machine prefers a slice; 0: it cannot run it. arm64e is for the system's own programs
// alone; x86-64 is translated on arm64.
static int
preference(const struct slice *slice, enum protection_cpu machine)
{
  bool arm64e = (slice->subtype & SUBTYPE_MASK) == SUBTYPE_ARM64E;

  if (slice->cpu == PROTECTION_X86_64)
    return machine == PROTECTION_X86_64 ? 4 : 1;
  if (slice->cpu == PROTECTION_ARM64 && machine == PROTECTION_ARM64)
    return arm64e ? 2 : 3;
  return 0;
}

// The slice that the machine runs. *is_macho says whether there are any.
static bool
choose_slice(const struct protection_file *file, enum protection_cpu machine, struct slice *chosen,
             bool *is_macho)
{
  unsigned char header[8], entry[32];
  int best = 0;

  *is_macho = false;
  if (!read_all(file, 0, header, sizeof header))
    return false;
  if (little32(header) == (uint32_t)MAGIC_64) {
    unsigned char types[8];
    *is_macho = read_all(file, 4, types, sizeof types);
    *chosen = (struct slice){file, 0, little32(types), little32(types + 4)};
    return *is_macho && preference(chosen, machine) > 0;
  }
  bool wide = big32(header) == (uint32_t)MAGIC_FAT_64;
  size_t size = wide ? 32 : 20;
  uint32_t count = big32(header + 4);
  // A Java class has the same magic number, and its version in the place of the count.
  if ((!wide && big32(header) != (uint32_t)MAGIC_FAT) || count > MOST_SLICES)
    return false;
  *is_macho = true;
  for (uint32_t i = 0; i < count && read_all(file, 8 + i * size, entry, size); i++) {
    struct slice slice = {file, big32(entry + 8), big32(entry), big32(entry + 4)};
    if (wide)
      slice.offset = slice.offset << 32 | big32(entry + 12);
    int its = preference(&slice, machine);
    if (its > best) {
      best = its;
      *chosen = slice;
    }
  }
  return best > 0;
}

// A property list in a file.
struct entitlements {
  uint64_t offset;
  size_t length;
};

// Whether they have <key>NAME</key> with <true/>. They are read in windows that overlap by half.
static bool
allows(const struct protection_file *file, const struct entitlements *list, const char *name)
{
  char window[WINDOW + 1];

  for (size_t from = 0; from < list->length; from += WINDOW / 2) {
    size_t n = list->length - from < WINDOW ? list->length - from : WINDOW;
    n = file->read(file->context, list->offset + from, window, n);
    window[n] = 0;
    const char *at = strstr(window, name);
    if (!at || strncmp(at + strlen(name), "</key>", 6) != 0)
      continue;
    at += strlen(name) + 6;
    at += strspn(at, " \t\r\n");
    if (strncmp(at, "<true/>", 7) == 0)
      return true;
  }
  return false;
}

static enum protection
judge_signature(const struct slice *slice, uint32_t offset)
{
  unsigned char header[16], index[8];
  uint64_t start = slice->offset + offset;
  struct entitlements entitlements = {0, 0};
  uint32_t flags = 0;

  if (!read_all(slice->file, start, header, 12) || big32(header) != (uint32_t)MAGIC_SUPERBLOB)
    return PROTECTION_NONE;
  uint32_t count = big32(header + 8);
  for (uint32_t i = 0; i < count && i < MOST_BLOBS; i++) {
    if (!read_all(slice->file, start + 12 + i * 8, index, sizeof index))
      break;
    uint64_t blob = start + big32(index + 4);
    // magic, length; of a code directory also version and flags
    size_t n = slice->file->read(slice->file->context, blob, header, sizeof header);
    if (n == sizeof header && big32(header) == (uint32_t)MAGIC_CODE_DIRECTORY)
      flags |= big32(header + 12);
    if (n >= 8 && big32(header) == (uint32_t)MAGIC_ENTITLEMENTS && big32(header + 4) > 8 &&
        big32(header + 4) <= MOST_ENTITLEMENTS)
      entitlements = (struct entitlements){blob + 8, big32(header + 4) - 8};
  }
  if (flags & FLAG_RESTRICT)
    return PROTECTION_RESTRICTED;
  if (flags & FLAG_RUNTIME &&
      !(allows(slice->file, &entitlements,
               "com.apple.security.cs.allow-dyld-environment-variables") &&
        allows(slice->file, &entitlements, "com.apple.security.cs.disable-library-validation")))
    return PROTECTION_HARDENED;
  return PROTECTION_NONE;
}

static enum protection
judge_commands(const struct slice *slice)
{
  unsigned char header[HEADER_64], command[24];
  enum protection result = PROTECTION_NONE;

  if (!read_all(slice->file, slice->offset, header, sizeof header))
    return PROTECTION_NONE;
  uint32_t count = little32(header + 16);
  uint64_t at = slice->offset + HEADER_64;
  for (uint32_t i = 0; i < count && i < MOST_COMMANDS && result == PROTECTION_NONE; i++) {
    size_t n = slice->file->read(slice->file->context, at, command, sizeof command);
    uint32_t size = n >= 8 ? little32(command + 4) : 0;
    if (size < 8)
      break;
    if (little32(command) == COMMAND_SEGMENT_64 && n == sizeof command &&
        memcmp(command + 8, "__RESTRICT", 11) == 0)
      result = PROTECTION_RESTRICTED;
    if (little32(command) == COMMAND_CODE_SIGNATURE && n >= 16)
      result = judge_signature(slice, little32(command + 8));
    at += size;
  }
  return result;
}

enum protection
protection_of_file(const struct protection_file *file, enum protection_cpu cpu)
{
  struct slice slice;
  bool is_macho;

  if (!choose_slice(file, cpu, &slice, &is_macho))
    return is_macho ? PROTECTION_FOREIGN : PROTECTION_NONE;
  enum protection result = judge_commands(&slice);
  if (result == PROTECTION_NONE && slice.cpu == PROTECTION_ARM64 &&
      (slice.subtype & SUBTYPE_MASK) == SUBTYPE_ARM64E)
    result = PROTECTION_ARM64E;
  return result;
}

bool
protection_interpreter(const struct protection_file *file, char *path, size_t size)
{
  char line[512];
  size_t n = file->read(file->context, 0, line, sizeof line - 1);

  line[n] = 0;
  if (n < 3 || line[0] != '#' || line[1] != '!')
    return false;
  const char *begin = line + 2 + strspn(line + 2, " \t");
  size_t length = strcspn(begin, " \t\r\n");
  if (length == 0 || length >= size || begin[length] == 0)
    return false;
  memcpy(path, begin, length);
  path[length] = 0;
  return true;
}

const char *
protection_why(enum protection protection)
{
  switch (protection) {
  case PROTECTION_SYSTEM: return "protected by System Integrity Protection";
  case PROTECTION_HARDENED: return "signed with the hardened runtime";
  case PROTECTION_RESTRICTED: return "restricted";
  case PROTECTION_ARM64E: return "built for arm64e only";
  case PROTECTION_FOREIGN: return "built for another architecture";
  case PROTECTION_NONE: break;
  }
  return NULL;
}
