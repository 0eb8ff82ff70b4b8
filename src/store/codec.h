/* SPDX-License-Identifier: MIT */
/*
 * Packing pages: LZ4 or Zstandard, in work areas that are there from the start on, for a fault
 * handler has no malloc. Any thread with signals blocked and any fault handler.
 */
#ifndef USWAP_STORE_CODEC_H
#define USWAP_STORE_CODEC_H

#include "base/base.h"

enum codec {
    CODEC_NONE,
    CODEC_LZ4,
    CODEC_ZSTD,
};

/* A page that does not shrink to this is not worth it. */
#define CODEC_PACKED_MAX (PAGE_SIZE * 3 / 4)

/* Once, at start. -ENOMEM: no address space. */
int codec_start(enum codec codec) must_check;
void codec_stop(void);

/* A page that was packed, in an area that is taken until codec_release(). */
struct packed_page {
    const void *content;
    size_t size; /* at most CODEC_PACKED_MAX */
    int area;
};

/* Pack a page. false: it does not shrink enough, or more threads pack than there are areas; there
 * is nothing to release then. Never waits. */
bool codec_pack(const void *page, struct packed_page *packed) must_check;
void codec_release(const struct packed_page *packed);

/* The page again. -EBADMSG: this is not what codec_pack() made. */
int codec_unpack(const void *packed, size_t size, void *page) must_check;

#endif
