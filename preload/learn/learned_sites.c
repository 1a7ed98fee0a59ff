#include "learned_sites.h"

#include "footprint/calling_frame.h"
#include "unwind/symbol.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { SITES = 256 };
enum { NOT_REFUSED, BEING_WRITTEN, DENIED, UNKNOWN };

static struct fork_site *sites;

void
fork_sites_start(void)
{
  void *memory = mmap(NULL, SITES * sizeof *sites, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  sites = memory == MAP_FAILED ? NULL : memory;
}

// FNV-1a. Not the address: processes of one table may have loaded different modules there.
static uint64_t
key_of(const struct calling_frame *frame)
{
  uint64_t hash = 0xcbf29ce484222325;

  for (const char *c = frame->path; *c; c++)
    hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
  for (int i = 0; i < 64; i += 8)
    hash = (hash ^ (frame->offset >> i & 0xff)) * 0x100000001b3;
  return hash ? hash : 1;
}

struct fork_site *
fork_sites_get(const struct calling_frame *frame)
{
  uint64_t key = key_of(frame);

  for (unsigned i = 0; sites && i < SITES; i++) {
    struct fork_site *site = &sites[(key + i) % SITES];
    uint64_t expected = 0;
    if (atomic_load(&site->key) == key)
      return site;
    if (atomic_compare_exchange_strong(&site->key, &expected, key)) {
      snprintf(site->module, sizeof site->module, "%s", frame->module);
      site->offset = frame->offset;
      return site;
    }
    if (expected == key)
      return site;
  }
  return NULL;
}

void
fork_site_safe(struct fork_site *site)
{
  atomic_fetch_add(&site->safe, 1);
}

void
fork_site_refuse(struct fork_site *site, bool denied, const char *reason)
{
  int expected = NOT_REFUSED;

  if (!atomic_compare_exchange_strong(&site->refused, &expected, BEING_WRITTEN) &&
      !(denied && expected == UNKNOWN &&
        atomic_compare_exchange_strong(&site->refused, &expected, BEING_WRITTEN)))
    return;
  snprintf(site->reason, sizeof site->reason, "%s", reason);
  atomic_store(&site->refused, denied ? DENIED : UNKNOWN);
}

const char *
fork_site_refusal(const struct fork_site *site, bool *denied)
{
  int refused = atomic_load(&site->refused);

  *denied = refused != UNKNOWN;
  if (refused == NOT_REFUSED)
    return NULL;
  return refused == BEING_WRITTEN ? "" : site->reason;
}

void
fork_site_name(struct fork_site *site, const struct calling_frame *frame)
{
  if (atomic_load(&site->named))
    return;
  // The address before the return address is in the calling function for certain.
  if (!symbol_find(frame->path, frame->offset - 1, site->function, sizeof site->function))
    snprintf(site->function, sizeof site->function, "-");
  atomic_store(&site->named, 1);
}
