/* SPDX-License-Identifier: MIT */
/* FNV-1a, 64 bits (Fowler, Noll, Vo): a hash of a few bytes that is the same in every process. */
#ifndef USWAP_BASE_FNV_H
#define USWAP_BASE_FNV_H

#include "base/base.h"

#define FNV_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t fnv_hash(uint64_t state, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        state = (state ^ bytes[i]) * UINT64_C(0x100000001b3);
    return state;
}

#endif
