/* SPDX-License-Identifier: MIT */
/*
 * Reservation. The units in service hold at least what store_reserve() promised, and disk space is
 * behind every one of them, so that a write never meets a full disk.
 *
 * Half as much again is added while there is space, for long runs of free slots, and is never a
 * reason to fail. It decides how fast slots in random order are written again: 768 MiB in
 * 929 MiB leave runs of 1.6 slots, which the disk takes at 0.11 GB/s; in 1145 MiB it is 3.1 slots
 * and 0.86 GB/s.
 *
 * Growing is done at once, by the one who asks; shrinking later and in steps, by the swap thread,
 * and only when much is left over.
 *
 * Lock: shared->lock, held over fallocate(), but never in the fault path: store_reserve() is called
 * for commitment, not for faults, and the swap thread only tries it. Nothing that it guards is left
 * half done when its holder dies: units come into service after their space is there, and leave
 * service before it is given back.
 */
#include "store/reserve.h"

#include "base/lock.h"
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
    _Atomic uint64_t promised; /* bytes; changes under the lock */
};

static struct shared *shared;

int reserve_start(void)
{
    shared = meta_reserve_shared(sizeof(*shared));
    if (!shared)
        return -ENOMEM;
    meta_charge(PAGE_SIZE);
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

static uint64_t in_service(void)
{
    return slot_in_service() * PAGE_SIZE;
}

static uint64_t with_slack(uint64_t bytes)
{
    return bytes ? align_up(bytes + bytes / 2 + STEP, UNIT_BYTES) : 0;
}

/* More in service than this is given back. */
static uint64_t upper_bound(uint64_t bytes)
{
    return with_slack(bytes) + bytes / 8 + 2 * STEP;
}

/* Allocate units and put them into service. What a failed try has allocated goes back. */
static int add_units(struct store *store, uint32_t first, uint32_t count)
{
    uint64_t offset = store_unit_offset(store, first);
    uint64_t length = min_u64((uint64_t)count * UNIT_BYTES, store->file.size - offset);
    int error = file_allocate(&store->file, offset, length);

    if (error)
        file_discard(&store->file, offset, length);
    else
        slot_add_units(first, count);
    return error;
}

/* Add a run of up to max units; when there is not enough space and `all` is set, what there is. */
static int grow_store(struct store *store, uint64_t max, bool all)
{
    uint32_t first;
    uint32_t count = slot_absent_units(store->first_unit, store->first_unit + store->unit_count,
                                       (uint32_t)min_u64(max, GROW_UNITS), &first);
    int error = count ? add_units(store, first, count) : -ENOSPC;

    while (error && all && (count /= 2) > 0)
        error = add_units(store, first, count);
    return error;
}

/* Bring so many bytes into service, or as many as there is space for. */
static void grow(uint64_t target, bool all)
{
    for (unsigned i = 0; i < stores_count; i++) {
        int error = 0;

        while (!error && in_service() < target)
            error = grow_store(&stores[i], (target - in_service() - 1) / UNIT_BYTES + 1, all);
    }
}

/* Whether it is worth trying: a disk is not to be filled up for nothing. */
static bool is_possible(uint64_t bytes)
{
    uint64_t room = in_service();

    for (unsigned i = 0; i < stores_count; i++)
        room += file_room(&stores[i].file);
    return bytes <= room && bytes <= store_capacity();
}

static int promise(uint64_t bytes)
{
    uint64_t rounded = align_up(bytes, STEP);

    if (in_service() < bytes && !is_possible(bytes))
        return -ENOSPC;
    grow(bytes, true);
    grow(with_slack(rounded), false);
    if (in_service() < bytes)
        return -ENOSPC;
    atomic_store(&shared->promised, in_service() < rounded ? bytes : rounded);
    return 0;
}

bool reserve_is_right(uint64_t bytes)
{
    uint64_t now = atomic_load_explicit(&shared->promised, memory_order_relaxed);

    return bytes <= now && now - bytes <= now / 4 + 2 * STEP;
}

int reserve_bytes(uint64_t bytes, bool *too_much)
{
    int error;

    lock_check_take(RANK_RESERVE);
    (void)!family_lock_take(&shared->lock);
    error = promise(bytes);
    *too_much = in_service() > upper_bound(shared->promised);
    family_lock_drop(&shared->lock);
    lock_check_drop(RANK_RESERVE);
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

void reserve_grow_step(void)
{
    if (!family_lock_try(&shared->lock))
        return;
    lock_check_take(RANK_RESERVE);
    grow(in_service() + STEP, true);
    family_lock_drop(&shared->lock);
    lock_check_drop(RANK_RESERVE);
}

bool reserve_shrink_step(void)
{
    bool more = false;
    uint64_t promised;

    if (!family_lock_try(&shared->lock))
        return false;
    lock_check_take(RANK_RESERVE);
    promised = atomic_load(&shared->promised);
    if (in_service() > upper_bound(promised))
        more = shrink(
            (uint32_t)min_u64(SHRINK_UNITS, (in_service() - with_slack(promised)) / UNIT_BYTES));
    family_lock_drop(&shared->lock);
    lock_check_drop(RANK_RESERVE);
    return more;
}
