/* SPDX-License-Identifier: MIT */
/*
 * The notes of a ring are found by the sequence number, modulo as many as its capacity asks for.
 * When it grows they are wrong until it has been filled once: then this process may be asked for
 * memory somewhat too early or too late.
 */
#include "object/age.h"

#include "base/meta.h"
#include "object/asked.h"
#include "object/sharing.h"

#include <errno.h>

/* Address space for the notes of the largest ring. */
#define NOTES_MAX (UINT32_C(1) << 20)

static struct {
    uint32_t *epochs[2]; /* of the cold ring, and of the hot one */
    uint32_t charged[2]; /* notes */
    /* Since an epoch: touches of masked pages. */
    _Atomic uint32_t touched, since;
} age;

int age_init(void)
{
    for (int hot = 0; hot < 2; hot++) {
        age.epochs[hot] = meta_reserve(NOTES_MAX * sizeof(uint32_t));
        if (!age.epochs[hot])
            return -ENOMEM;
    }
    return 0;
}

static uint32_t *note(const struct ring *ring, bool hot, uint32_t sequence)
{
    uint32_t notes = (uint32_t)min_u64(max_u64(ring->capacity / AGE_STEP, 1), NOTES_MAX);

    if (unlikely(notes > age.charged[hot])) {
        meta_charge((int64_t)(notes - age.charged[hot]) * (int64_t)sizeof(uint32_t));
        age.charged[hot] = notes;
    }
    return &age.epochs[hot][sequence / AGE_STEP & (notes - 1)];
}

void age_note(const struct ring *ring, bool hot, uint32_t sequence)
{
    if (age.epochs[hot])
        *note(ring, hot, sequence) = atomic_fetch_add(&sharing_file->epoch, 1);
}

/* A look at every AGE_STEP touches, as at a sample. */
void age_touched(uint32_t pages, uint64_t masked)
{
    uint32_t touched, epoch;

    if (!age.epochs[0])
        return;
    touched = atomic_fetch_add(&age.touched, pages) + pages;
    if (touched < AGE_STEP)
        return;
    epoch = atomic_load_explicit(&sharing_file->epoch, memory_order_relaxed);
    if (asked_in_use(sharing_file, (uint32_t)masked + touched, touched,
                     epoch - atomic_load(&age.since)))
        atomic_store(&sharing_place(sharing_own())->used, epoch);
    atomic_store(&age.touched, 0);
    atomic_store(&age.since, epoch);
}

void age_publish(const struct ring *ring, bool hot)
{
    struct pool_member *place;
    uint32_t epoch;

    if (!age.epochs[hot])
        return;
    place = sharing_place(sharing_own());
    epoch = ring_count(ring) ? *note(ring, hot, ring->head) : atomic_load(&sharing_file->epoch);
    atomic_store_explicit(&place->tail, epoch, memory_order_relaxed);
    atomic_store_explicit(&place->tail_is_hot, hot, memory_order_relaxed);
}
