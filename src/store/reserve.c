/* SPDX-License-Identifier: MIT */
/*
 * Reservation. Each process of the family is promised bytes of store; the units in service hold at
 * least the sum, and disk space is behind every one of them, so that a write never meets a full
 * disk.
 *
 * Some slack is added while there is space, for long runs of free slots; it is never a reason to
 * fail. Growing is done at once, by the one who asks; shrinking later and in steps, by the swap
 * thread, and only when much is left over.
 *
 * Lock: shared->lock, held over fallocate(), but never in the fault path: store_reserve() is called
 * for commitment, not for faults, and the swap thread only tries it. Nothing that it guards is left
 * half done when its holder dies: units come into service after their space is there, and leave
 * service before it is given back.
 */
#include "store/reserve.h"

#include "base/meta.h"
#include "store/family.h"
#include "store/stores.h"

#include <errno.h>
#include <stdatomic.h>

/* Promises are rounded up to steps, so that most calls change nothing. */
#define STEP (64 * MIB)

/* Units allocated by one call at most, and discarded by one. */
#define GROW_UNITS   512
#define SHRINK_UNITS 16

struct shared {
    struct family_lock lock;
};

static struct shared *shared;

/* What this process was promised. Changes under the lock. */
static _Atomic uint64_t own;

int reserve_start(void)
{
    shared = meta_reserve_shared(sizeof(*shared));
    if (!shared)
        return -ENOMEM;
    meta_charge(PAGE_SIZE);
    atomic_store(&own, 0);
    return 0;
}

void reserve_stop(void)
{
    if (!shared)
        return;
    meta_release(shared, sizeof(*shared));
    meta_charge(-(int64_t)PAGE_SIZE);
    shared = NULL;
}

void reserve_fork_child(void)
{
    atomic_store(&own, 0);
}

static uint64_t in_service(void)
{
    return slot_in_service() * PAGE_SIZE;
}

static uint64_t with_slack(uint64_t bytes)
{
    return bytes ? align_up(bytes + bytes / 8 + STEP, UNIT_BYTES) : 0;
}

/* More in service than this is given back. */
static uint64_t upper_bound(uint64_t bytes)
{
    return with_slack(bytes) + bytes / 8 + 2 * STEP;
}

/* Allocate and put into service a run of units at most max long, or the longest first part of it
 * that fits. */
static int grow_store(struct store *store, uint32_t max)
{
    uint32_t first;
    uint32_t count = slot_absent_units(store->first_unit, store->first_unit + store->unit_count,
                                       (uint32_t)min_u64(max, GROW_UNITS), &first);
    uint64_t offset = store_unit_offset(store, first);
    int error = -ENOSPC;

    for (; count > 0 && error == -ENOSPC; count /= 2) {
        uint64_t end = min_u64(offset + (uint64_t)count * UNIT_BYTES, store->file.size);

        error = file_allocate(&store->file, offset, end - offset);
        if (!error)
            slot_add_units(first, count);
    }
    return error;
}

/* Bring as many bytes into service as there is space for, up to target. */
static void grow(uint64_t target)
{
    for (unsigned i = 0; i < stores_count; i++) {
        int error = 0;

        while (!error && in_service() < target)
            error =
                grow_store(&stores[i], (uint32_t)((target - in_service() - 1) / UNIT_BYTES + 1));
    }
}

static int promise(uint64_t bytes)
{
    uint64_t others = family_promised() - own;
    uint64_t rounded = align_up(bytes, STEP);

    grow(with_slack(others + rounded));
    if (in_service() < others + bytes)
        return -ENOSPC;
    if (in_service() >= others + rounded)
        bytes = rounded;
    family_promise(bytes);
    atomic_store(&own, bytes);
    return 0;
}

int reserve_bytes(uint64_t bytes, bool *too_much)
{
    uint64_t before = atomic_load_explicit(&own, memory_order_relaxed);
    int error;

    if (likely(bytes <= before && before - bytes <= before / 4 + 2 * STEP))
        return 0;
    (void)!family_lock_take(&shared->lock);
    error = promise(bytes);
    *too_much = in_service() > upper_bound(family_promised());
    family_lock_drop(&shared->lock);
    return error;
}

/* Give back a run of free units from the end of the last store that has one. */
static bool shrink(uint32_t max)
{
    for (unsigned i = stores_count; i-- > 0;) {
        struct store *store = &stores[i];
        uint32_t first;
        uint32_t count = slot_withdraw_units(store->first_unit,
                                             store->first_unit + store->unit_count, max, &first);

        if (count > 0) {
            file_discard(&store->file, store_unit_offset(store, first),
                         (uint64_t)count * UNIT_BYTES);
            return true;
        }
    }
    return false;
}

bool reserve_shrink_step(void)
{
    bool more = false;
    uint64_t promised;

    if (!family_lock_try(&shared->lock))
        return false;
    promised = family_promised();
    if (in_service() > upper_bound(promised))
        more = shrink(
            (uint32_t)min_u64(SHRINK_UNITS, (in_service() - with_slack(promised)) / UNIT_BYTES));
    family_lock_drop(&shared->lock);
    return more;
}
