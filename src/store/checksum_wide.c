/* SPDX-License-Identifier: MIT */
/* The checksum for processors with AVX2; see checksum.c. */
#include "store/checksum.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif
#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_AVX2
#include <xxhash.h>

uint64_t checksum_page_wide(const void *page, const uint8_t secret[CHECKSUM_SECRET_SIZE])
{
    return XXH3_64bits_withSecret(page, PAGE_SIZE, secret, CHECKSUM_SECRET_SIZE);
}
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
