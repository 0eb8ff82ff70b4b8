/* SPDX-License-Identifier: MIT */
/* The content of a page. */
#ifndef USWAP_BASE_PAGE_H
#define USWAP_BASE_PAGE_H

#include "base/base.h"

#include <string.h>

static inline bool page_is_zero(const void *page)
{
    const uint64_t *words = page;

    return words[0] == 0 && memcmp(words, words + 1, PAGE_SIZE - sizeof(*words)) == 0;
}

#endif
