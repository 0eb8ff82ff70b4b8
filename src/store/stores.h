/* SPDX-License-Identifier: MIT */
/* Inside src/store/ only: the files behind the slots. Written once, at start. */
#ifndef USWAP_STORE_STORES_H
#define USWAP_STORE_STORES_H

#include "store/file.h"
#include "store/slot.h"

/* A file or device and the slots in it: slot n of it lies at page n; the first ones are the header.
 */
struct store {
    struct file file;
    uint32_t first_unit;
    uint32_t unit_count;
    _Atomic unsigned failures; /* writes that failed since the last one that did not */
};

extern struct store stores[USWAP_MAX_STORES];
extern unsigned stores_count;

static inline uint64_t store_unit_offset(const struct store *store, uint32_t unit)
{
    return (uint64_t)(unit - store->first_unit) * UNIT_BYTES;
}

#endif
