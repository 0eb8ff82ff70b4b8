/* SPDX-License-Identifier: MIT */
/*
 * LZ4 unpacks without any state. Zstandard needs a context for both ways: who finds none of those
 * for unpacking waits for another thread that unpacks, which takes microseconds.
 */
#include "store/codec.h"

#include "base/bits.h"
#include "base/meta.h"

#include <errno.h>
#include <lz4.h>
#include <string.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#define AREAS      8
#define ZSTD_LEVEL 1

/* What LZ4 packs to this is left as it is. */
#define SMALL (PAGE_SIZE / 4)

static struct {
    enum codec codec;
    /* An area for packing: a context of Zstandard, a state of LZ4, a page for what is packed. */
    size_t lz4_at, out_at, packing_size;
    size_t unpacking_size; /* of an area: a context of Zstandard */
    char *packing, *unpacking;
    /* Zstandard's, of each area; NULL: who takes the area makes it, as nobody may ever need it. */
    ZSTD_CCtx *packers[AREAS];
    ZSTD_DCtx *unpackers[AREAS];
    _Atomic uint64_t free_packing; /* a bit each */
    struct bits_pool unpacking_areas;
    _Atomic uint64_t charged_packing, charged_unpacking;
} codec;

static bool has_zstd(void)
{
    return codec.codec != CODEC_LZ4;
}

static size_t context_size(void)
{
    return ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(ZSTD_LEVEL, PAGE_SIZE, 0));
}

static void size_areas(void)
{
    size_t lz4 = codec.codec == CODEC_ZSTD ? 0 : align_up((uint64_t)LZ4_sizeofState(), PAGE_SIZE);

    codec.lz4_at = has_zstd() ? align_up(context_size(), PAGE_SIZE) : 0;
    codec.out_at = codec.lz4_at + lz4;
    codec.packing_size = codec.out_at + PAGE_SIZE;
    codec.unpacking_size = has_zstd() ? align_up(ZSTD_estimateDCtxSize(), PAGE_SIZE) : 0;
}

static int reserve_areas(void)
{
    codec.packing = meta_reserve(AREAS * codec.packing_size);
    if (!codec.packing)
        return -ENOMEM;
    if (!has_zstd())
        return 0;
    codec.unpacking = meta_reserve(AREAS * codec.unpacking_size);
    return codec.unpacking ? 0 : -ENOMEM;
}

int codec_start(enum codec which)
{
    int error;

    codec.codec = which;
    if (which == CODEC_NONE)
        return 0;
    size_areas();
    error = reserve_areas();
    if (error) {
        codec_stop();
        return error;
    }
    atomic_store(&codec.free_packing, (1u << AREAS) - 1);
    atomic_store(&codec.unpacking_areas.free, (1u << AREAS) - 1);
    return 0;
}

void codec_stop(void)
{
    meta_release(codec.packing, AREAS * codec.packing_size);
    meta_release(codec.unpacking, AREAS * codec.unpacking_size);
    codec.packing = codec.unpacking = NULL;
    codec.packing_size = codec.unpacking_size = 0;
    memset(codec.packers, 0, sizeof(codec.packers));
    memset(codec.unpackers, 0, sizeof(codec.unpackers));
    codec.codec = CODEC_NONE;
}

static size_t pack_zstd(const void *page, void *packed, int bit)
{
    ZSTD_CCtx **packer = &codec.packers[bit];
    size_t size;

    if (!*packer)
        *packer =
            ZSTD_initStaticCCtx(codec.packing + (size_t)bit * codec.packing_size, codec.lz4_at);
    if (!*packer)
        return 0;
    size = ZSTD_compressCCtx(*packer, packed, CODEC_PACKED_MAX, page, PAGE_SIZE, ZSTD_LEVEL);
    return ZSTD_isError(size) ? 0 : size;
}

static size_t pack_lz4(const void *page, void *packed, void *area)
{
    int size = LZ4_compress_fast_extState(area, page, packed, PAGE_SIZE, CODEC_PACKED_MAX, 1);

    return size > 0 ? (size_t)size : 0;
}

static enum codec choose(bool dense)
{
    if (codec.codec != CODEC_BOTH)
        return codec.codec;
    return dense ? CODEC_ZSTD : CODEC_LZ4;
}

bool codec_pack(const void *page, bool dense, struct packed_page *packed)
{
    char *area, *out;

    packed->codec = choose(dense);
    packed->area = packed->codec == CODEC_NONE ? -1 : bits_take(&codec.free_packing);
    if (packed->area < 0)
        return false;
    meta_charge_once(&codec.charged_packing, packed->area, (int64_t)codec.packing_size);
    area = codec.packing + (size_t)packed->area * codec.packing_size;
    out = area + codec.out_at;
    packed->content = out;
    if (packed->codec == CODEC_LZ4)
        packed->size = pack_lz4(page, out, area + codec.lz4_at);
    else
        packed->size = pack_zstd(page, out, packed->area);
    if (!packed->size)
        codec_release(packed);
    return packed->size != 0;
}

bool codec_may_shrink(const struct packed_page *packed)
{
    return codec.codec == CODEC_BOTH && packed->codec == CODEC_LZ4 && packed->size > SMALL;
}

void codec_release(const struct packed_page *packed)
{
    bits_put(&codec.free_packing, (size_t)packed->area);
}

static int unpack_zstd(const void *packed, size_t size, void *page)
{
    int bit = bits_await(&codec.unpacking_areas);
    ZSTD_DCtx **unpacker = &codec.unpackers[bit];
    size_t got = 0;

    meta_charge_once(&codec.charged_unpacking, bit, (int64_t)codec.unpacking_size);
    if (!*unpacker)
        *unpacker = ZSTD_initStaticDCtx(codec.unpacking + (size_t)bit * codec.unpacking_size,
                                        codec.unpacking_size);
    if (*unpacker)
        got = ZSTD_decompressDCtx(*unpacker, page, PAGE_SIZE, packed, size);
    bits_return(&codec.unpacking_areas, (size_t)bit);
    return got == PAGE_SIZE ? 0 : -EBADMSG;
}

int codec_unpack(const struct packed_page *packed, void *page)
{
    if (packed->codec == CODEC_ZSTD)
        return unpack_zstd(packed->content, packed->size, page);
    return LZ4_decompress_safe(packed->content, page, (int)packed->size, PAGE_SIZE) == PAGE_SIZE
               ? 0
               : -EBADMSG;
}
