/* SPDX-License-Identifier: MIT */
/* Pages, by their content and for vectored transfers. */
#ifndef USWAP_BASE_PAGE_H
#define USWAP_BASE_PAGE_H

#include "base/base.h"

#include <string.h>
#include <sys/uio.h>

static inline bool page_is_zero(const void *page)
{
    const uint64_t *words = page;

    return words[0] == 0 && memcmp(words, words + 1, PAGE_SIZE - sizeof(*words)) == 0;
}

/* Add a page to the buffers of a transfer, of which those from `begin` on are its own. */
static inline void page_append(struct iovec *buffers, unsigned begin, unsigned *count, char *page)
{
    struct iovec *last = *count > begin ? &buffers[*count - 1] : NULL;

    if (last && (char *)last->iov_base + last->iov_len == page)
        last->iov_len += PAGE_SIZE;
    else
        buffers[(*count)++] = (struct iovec){page, PAGE_SIZE};
}

#endif
