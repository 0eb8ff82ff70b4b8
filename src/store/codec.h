/* SPDX-License-Identifier: MIT */
/*
 * Packing pages: LZ4, Zstandard, or either as it is better at the time, in work areas that are
 * there from the start on, for a fault handler has no malloc. Any thread with signals blocked and
 * any fault handler.
 */
#ifndef USWAP_STORE_CODEC_H
#define USWAP_STORE_CODEC_H

#include "base/base.h"

enum codec {
    CODEC_NONE,
    CODEC_LZ4,
    CODEC_ZSTD,
    CODEC_BOTH, /* LZ4 what is to be quick, Zstandard what is to be dense */
};

/* A page that does not shrink to this is not worth it. */
#define CODEC_PACKED_MAX (PAGE_SIZE * 3 / 4)

/* Once, at start. -ENOMEM: no address space. */
int codec_start(enum codec codec) must_check;
void codec_stop(void);

/* A page that was packed, in an area that is taken until codec_release(). */
struct packed_page {
    const void *content;
    size_t size;      /* at most CODEC_PACKED_MAX */
    enum codec codec; /* that made it: not CODEC_BOTH */
    int area;
};

/* Pack a page; dense: it matters more how small it becomes than how soon. false: it does not shrink
 * enough, or more threads pack than there are areas; there is nothing to release then. Never waits.
 */
bool codec_pack(const void *page, bool dense, struct packed_page *packed) must_check;
void codec_release(const struct packed_page *packed);

/* Whether packing it densely is worth while: it was not, and has not become small all the same. */
bool codec_may_shrink(const struct packed_page *packed);

/* The page again. -EBADMSG: this is not what codec_pack() made. */
int codec_unpack(const struct packed_page *packed, void *page) must_check;

#endif
