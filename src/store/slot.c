/* SPDX-License-Identifier: MIT */
/*
 * The slot tables.
 *
 * States of a unit (UNIT_SLOTS slots, which is 2 MiB of file):
 *
 *   ABSENT --slot_add_units()--> READY --open_unit()--> OPEN
 *     ^                            |                     |
 *     +---slot_withdraw_units()----+----(all free)-------+
 *
 *   READY, OPEN --slot_close_units()--> CLOSED
 *
 *   ABSENT  nothing may be written there: perhaps no disk space is behind it
 *   READY   in service, but its part of the tables was not touched yet
 *   OPEN    its free slots are in the bitmap
 *   CLOSED  cannot be written any more: slots in use are dropped one by one, and that is the end of
 * them
 *
 * Allocation is next fit: the search goes on where the last run ended. A search that finds no run
 * as long as wanted opens the next READY unit, so that runs are appended; but no more units are
 * open than one and a half times what is in use plus 64 MiB, so that a small set does not march
 * through a large file and drag the tables into memory. Beyond that the longest run found is given.
 *
 * Invariants
 *   The states of the units, which slots are retired, and what each living member holds (held.h)
 * are the truth. Everything else (bitmaps, counts per unit, sums) follows from them, and rebuild()
 * makes it again when a process died with the lock. A slot has as many references as there are
 * members that hold it, which may be dead as long as nobody has looked. It is in free_slots if and
 * only if its unit is OPEN, it has no reference, and it is not retired; and in shared_slots if and
 * only if it has more than one.
 *   shared_slots and retired_slots are looked at only where the unit says that there are any: a
 * hole in shared memory becomes a page when it is read.
 *
 * Lock: table->lock guards all.
 */
#include "store/slot.h"

#include "base/bitmap.h"
#include "base/lock.h"
#include "base/meta.h"
#include "store/family.h"
#include "store/held.h"
#include "store/member.h"

#include <errno.h>
#include <string.h>

/* Runs looked at before a shorter one is taken or a unit is opened. */
#define SEARCH_EFFORT 8

/* Slots that may be open beyond half again what is in use. */
#define OPEN_SLACK (64 * MIB / PAGE_SIZE)

enum unit_state {
    UNIT_ABSENT,
    UNIT_READY,
    UNIT_OPEN,
    UNIT_CLOSED,
};

struct unit {
    uint16_t used;    /* slots with references */
    uint16_t shared;  /* those with more than one */
    uint16_t retired; /* slots that are never handed out */
    uint8_t state;
};

struct table {
    struct family_lock lock;
    uint32_t cursor; /* where the next search starts */
    uint32_t open_units;
    uint32_t high_unit;    /* units from here on never were OPEN */
    uint32_t high_shared;  /* units from here on never had shared slots */
    uint32_t shared_units; /* those with shared slots */
    uint32_t looked_at;    /* the member that was last looked at whether it lives */
    _Atomic uint64_t used;
    _Atomic uint64_t in_service; /* slots of READY and OPEN units but for retired ones */
};

static struct table *table;
static struct unit *units;
static uint64_t *shared_slots; /* a bit each */
static uint64_t *retired_slots;
static struct bitmap free_slots;
static struct bitmap ready_units;
static uint32_t unit_limit;

/* One reservation holds all tables. */
static void *memory;
static size_t memory_size;

/* What this process has charged for the tables. */
static uint64_t charged;

/* A wrong slot number would damage somebody else's memory. */
static void check(bool right)
{
    if (unlikely(!right))
        __builtin_trap();
}

static uint32_t unit_of(uint64_t slot)
{
    return (uint32_t)(slot / UNIT_SLOTS);
}

static uint64_t first_slot(uint32_t unit)
{
    return (uint64_t)unit * UNIT_SLOTS;
}

static void add(_Atomic uint64_t *sum, uint64_t value)
{
    atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + value,
                          memory_order_relaxed);
}

/* Charge what the family has touched of the tables: each of its members maps it. */
static void charge_tables(void)
{
    uint64_t per_unit = UNIT_SLOTS / 8 + sizeof(struct unit);
    uint64_t bytes = 2 * PAGE_SIZE + table->high_unit * per_unit +
                     first_slot(table->high_shared) / 8 + held_bytes(member_own());

    if (likely(bytes == charged))
        return;
    meta_charge((int64_t)(bytes - charged));
    charged = bytes;
}

static size_t place(size_t *size, size_t bytes)
{
    size_t offset = *size;

    *size += align_up(bytes, PAGE_SIZE);
    return offset;
}

int slot_start(uint64_t limit)
{
    size_t size = 0;
    size_t table_at = place(&size, sizeof(*table));
    size_t units_at = place(&size, limit / UNIT_SLOTS * sizeof(*units));
    size_t ready_at = place(&size, bitmap_bytes(limit / UNIT_SLOTS));
    size_t free_at = place(&size, bitmap_bytes(limit));
    size_t shared_at = place(&size, limit / 8);
    size_t retired_at = place(&size, limit / 8);
    char *base = meta_reserve_shared(size);

    if (!base)
        return -ENOMEM;
    memory = base;
    memory_size = size;
    unit_limit = unit_of(limit);
    table = (void *)(base + table_at);
    units = (void *)(base + units_at);
    shared_slots = (void *)(base + shared_at);
    retired_slots = (void *)(base + retired_at);
    bitmap_init(&ready_units, limit / UNIT_SLOTS, base + ready_at);
    bitmap_init(&free_slots, limit, base + free_at);
    if (held_start(limit)) {
        slot_stop();
        return -ENOMEM;
    }
    charge_tables();
    return 0;
}

void slot_stop(void)
{
    meta_charge(-(int64_t)charged);
    charged = 0;
    held_stop();
    meta_release(memory, memory_size);
    memory = NULL;
    table = NULL;
    unit_limit = 0;
}

static bool is_retired(uint64_t slot)
{
    return units[unit_of(slot)].retired && retired_slots[slot / 64] >> slot % 64 & 1;
}

/* Never hand them out. The count comes first: no bit is looked at where it is 0. */
static void retire(uint64_t first, uint64_t count)
{
    for (uint64_t slot = first; slot < first + count; slot++) {
        units[unit_of(slot)].retired++;
        atomic_signal_fence(memory_order_seq_cst);
        retired_slots[slot / 64] |= UINT64_C(1) << slot % 64;
    }
}

/* Put all slots of a unit, none of which has a reference, into the bitmap. */
static void fill_unit(uint32_t unit)
{
    uint64_t first = first_slot(unit);

    bitmap_set_range(&free_slots, first, UNIT_SLOTS);
    for (uint64_t slot = first; units[unit].retired && slot < first + UNIT_SLOTS; slot++)
        if (is_retired(slot))
            bitmap_clear(&free_slots, slot);
}

static unsigned count_retired(uint32_t unit)
{
    unsigned count = 0;

    for (uint64_t slot = first_slot(unit); slot < first_slot(unit + 1); slot++)
        count += is_retired(slot);
    return count;
}

static uint64_t serviceable(const struct unit *unit)
{
    if (unit->state == UNIT_ABSENT)
        return 0;
    return unit->state == UNIT_CLOSED ? unit->used : UNIT_SLOTS - unit->retired;
}

static void forget_dead(void)
{
    for (unsigned member = 0; member < member_count(); member++) {
        if (!member_is_dead(member))
            continue;
        held_clear(member);
        member_forget(member);
    }
}

/* The first run of bits of a word, which loses it; 0: none is left. */
static unsigned next_run(uint64_t *word, unsigned *first)
{
    unsigned count;
    uint64_t rest;

    if (!*word)
        return 0;
    *first = (unsigned)__builtin_ctzll(*word);
    rest = ~(*word >> *first);
    count = rest ? (unsigned)__builtin_ctzll(rest) : 64;
    *word &= ~(UINT64_MAX >> (64 - count) << *first);
    return count;
}

/* Of the slots of a word, these are shared and no others, where only those in `mask` can change. */
static void set_shared(uint64_t at, uint64_t mask, uint64_t slots)
{
    uint32_t number = unit_of(at * 64);
    struct unit *unit = &units[number];
    uint64_t before = unit->shared ? shared_slots[at] & mask : 0;

    if (before == slots)
        return;
    table->shared_units -= unit->shared > 0;
    unit->shared =
        (uint16_t)(unit->shared + __builtin_popcountll(slots) - __builtin_popcountll(before));
    table->shared_units += unit->shared > 0;
    table->high_shared = (uint32_t)max_u64(table->high_shared, number + 1);
    /* Whoever dies here: rebuild() clears the bits below high_shared. */
    atomic_signal_fence(memory_order_seq_cst);
    shared_slots[at] = (shared_slots[at] & ~mask) | slots;
}

/* Nothing is shared any more, and the bits need no memory. */
static void forget_shared(void)
{
    meta_trim(shared_slots, first_slot(table->high_shared) / 8);
    table->high_shared = 0;
}

static void recount_word(struct unit *unit, uint64_t at)
{
    struct held_word held = held_count(member_count(), member_count(), at, UINT64_MAX);
    unsigned first, count;

    unit->used = (uint16_t)(unit->used + __builtin_popcountll(held.any));
    set_shared(at, UINT64_MAX, held.several);
    while (unit->state == UNIT_OPEN && (count = next_run(&held.any, &first)))
        bitmap_clear_range(&free_slots, at * 64 + first, count);
}

/* Count the slots of a unit whose part of the tables was touched. */
static void recount_unit(uint32_t unit)
{
    struct unit *it = &units[unit];

    it->used = 0;
    it->shared = 0;
    it->retired = (uint16_t)count_retired(unit);
    if (it->state == UNIT_OPEN) {
        fill_unit(unit);
        table->open_units++;
    } else {
        bitmap_clear_range(&free_slots, first_slot(unit), UNIT_SLOTS);
    }
    for (uint64_t at = first_slot(unit) / 64; at < first_slot(unit + 1) / 64; at++)
        recount_word(it, at);
}

/* The process that held the lock died: make again all that follows from the truth. */
static void rebuild(void)
{
    forget_dead();
    memset(shared_slots, 0, first_slot(table->high_shared) / 8);
    table->shared_units = 0;
    table->open_units = 0;
    table->cursor = 0;
    atomic_store(&table->used, 0);
    atomic_store(&table->in_service, 0);
    for (uint32_t unit = 0; unit < unit_limit; unit++) {
        if (unit < table->high_unit)
            recount_unit(unit);
        bitmap_clear(&ready_units, unit);
        if (units[unit].state == UNIT_READY)
            bitmap_set(&ready_units, unit);
        add(&table->in_service, serviceable(&units[unit]));
        add(&table->used, units[unit].used);
    }
}

static void enter(void)
{
    lock_check_take(RANK_SLOT);
    if (unlikely(family_lock_take(&table->lock)))
        rebuild();
}

static void leave(void)
{
    if (unlikely(table->high_shared && !table->shared_units))
        forget_shared();
    charge_tables();
    family_lock_drop(&table->lock);
    lock_check_drop(RANK_SLOT);
}

void slot_exclude(slot_t first, unsigned count)
{
    enter();
    retire(first, count);
    leave();
}

uint32_t slot_absent_units(uint32_t first, uint32_t end, uint32_t max, uint32_t *found)
{
    uint32_t count = 0;

    enter();
    while (first < end && units[first].state != UNIT_ABSENT)
        first++;
    while (first + count < end && count < max && units[first + count].state == UNIT_ABSENT)
        count++;
    leave();
    *found = first;
    return count;
}

void slot_add_units(uint32_t first, uint32_t count)
{
    enter();
    bitmap_set_range(&ready_units, first, count);
    for (uint32_t unit = first; unit < first + count; unit++) {
        units[unit].state = UNIT_READY;
        add(&table->in_service, UNIT_SLOTS - units[unit].retired);
    }
    leave();
}

static bool may_withdraw(uint32_t unit)
{
    return units[unit].used == 0 &&
           (units[unit].state == UNIT_READY || units[unit].state == UNIT_OPEN);
}

static void withdraw(uint32_t unit)
{
    struct unit *it = &units[unit];

    if (it->state == UNIT_OPEN) {
        bitmap_clear_range(&free_slots, first_slot(unit), UNIT_SLOTS);
        table->open_units--;
    } else {
        bitmap_clear(&ready_units, unit);
    }
    it->state = UNIT_ABSENT;
    add(&table->in_service, -(uint64_t)(UNIT_SLOTS - it->retired));
}

uint32_t slot_withdraw_units(uint32_t first, uint32_t end, uint32_t max, uint32_t *found)
{
    uint32_t count = 0;

    enter();
    while (end > first && !may_withdraw(end - 1))
        end--;
    while (end > first && count < max && may_withdraw(end - 1)) {
        withdraw(--end);
        count++;
    }
    leave();
    *found = end;
    return count;
}

static uint64_t open_slots(void)
{
    return first_slot(table->open_units);
}

/* The search goes on in a unit that was just opened, or before it where the free end of the unit
 * before makes one run with it. */
static void move_cursor(uint32_t unit)
{
    uint64_t start = first_slot(unit);
    uint64_t rest = start - table->cursor;

    if (table->cursor < start && rest < UNIT_SLOTS &&
        bitmap_run(&free_slots, table->cursor, rest) == rest)
        return;
    table->cursor = (uint32_t)start;
}

/* Open a READY unit, when the bound allows it or nothing else is free. */
static bool open_unit(bool needed)
{
    uint64_t used = atomic_load_explicit(&table->used, memory_order_relaxed);
    uint64_t unit;

    if (!needed && open_slots() + UNIT_SLOTS > used + used / 2 + OPEN_SLACK)
        return false;
    unit = bitmap_next_set(&ready_units, 0);
    if (unit == BITMAP_NONE)
        return false;
    if (table->high_unit <= unit)
        table->high_unit = (uint32_t)unit + 1;
    bitmap_clear(&ready_units, unit);
    units[unit].state = UNIT_OPEN;
    fill_unit((uint32_t)unit);
    table->open_units++;
    move_cursor((uint32_t)unit);
    return true;
}

static uint64_t find_run(unsigned want, uint64_t *count)
{
    uint64_t run = bitmap_find_run(&free_slots, table->cursor, want, 1, SEARCH_EFFORT, count);

    if (run != BITMAP_NONE && *count == want)
        return run;
    if (!open_unit(run == BITMAP_NONE))
        return run;
    return bitmap_find_run(&free_slots, table->cursor, want, 1, SEARCH_EFFORT, count);
}

void slot_close_units(uint32_t first, uint32_t end)
{
    enter();
    for (uint32_t unit = first; unit < end; unit++) {
        struct unit *it = &units[unit];

        if (it->state == UNIT_OPEN) {
            bitmap_clear_range(&free_slots, first_slot(unit), UNIT_SLOTS);
            table->open_units--;
        }
        bitmap_clear(&ready_units, unit);
        add(&table->in_service, -serviceable(it));
        it->state = UNIT_CLOSED;
        add(&table->in_service, serviceable(it));
    }
    leave();
}

/* Call with each part of a run that lies in one unit. */
static void use_part(struct unit *unit, uint64_t first, uint64_t count)
{
    bitmap_clear_range(&free_slots, first, count);
    unit->used = (uint16_t)(unit->used + count);
}

static void free_part(struct unit *unit, uint64_t first, uint64_t count)
{
    check(unit->used >= count);
    unit->used = (uint16_t)(unit->used - count);
    if (unit->state == UNIT_OPEN)
        bitmap_set_range(&free_slots, first, count);
    else
        add(&table->in_service, -count);
}

static void for_each_part(uint64_t first, uint64_t count,
                          void (*change)(struct unit *unit, uint64_t first, uint64_t count))
{
    while (count > 0) {
        uint32_t unit = unit_of(first);
        uint64_t part = min_u64(count, first_slot(unit + 1) - first);

        change(&units[unit], first, part);
        first += part;
        count -= part;
    }
}

static void free_run(uint64_t first, uint64_t count)
{
    for_each_part(first, count, free_part);
    add(&table->used, -count);
}

/* A member has lost slots of one word, some of which may be shared. */
static void drop_shared(unsigned member, uint64_t first, uint64_t count)
{
    uint64_t at = first / 64;
    uint64_t mask = UINT64_MAX >> (64 - count) << first % 64;
    uint64_t shared = shared_slots[at] & mask, last = mask & ~shared;
    unsigned offset, run;

    if (shared)
        set_shared(at, mask, shared & held_count(member_count(), member, at, shared).several);
    while ((run = next_run(&last, &offset)))
        free_run(at * 64 + offset, run);
}

/* A member has lost these slots. */
static void drop_run(unsigned member, uint64_t first, uint64_t count)
{
    for (uint64_t part; count > 0; first += part, count -= part) {
        if (units[unit_of(first)].shared) {
            part = min_u64(count, 64 - first % 64);
            drop_shared(member, first, part);
        } else {
            part = min_u64(count, first_slot(unit_of(first) + 1) - first);
            free_run(first, part);
        }
    }
}

/* How many slots in a row these are; SLOT_NONE is none. */
static size_t run_length(const slot_t *slots, size_t count)
{
    size_t run = 1;

    while (slots[0] != SLOT_NONE && run < count && slots[run] == slots[0] + run)
        run++;
    return run;
}

void slot_drop_references(const slot_t *slots, size_t count)
{
    size_t i = 0;

    /* Most memory that is given back never left. */
    while (i < count && slots[i] == SLOT_NONE)
        i++;
    if (i == count)
        return;
    enter();
    for (size_t run; i < count; i += run) {
        run = run_length(&slots[i], count - i);
        if (slots[i] == SLOT_NONE)
            continue;
        check(held_remove(member_own(), slots[i], run));
        drop_run(member_own(), slots[i], run);
    }
    leave();
}

void slot_share(unsigned member)
{
    uint64_t words;
    const uint64_t *row;

    enter();
    held_copy(member, member_own());
    row = held_by(member_own(), &words);
    for (uint64_t at = 0; at < words; at++)
        set_shared(at, row[at], row[at]);
    leave();
}

/* With the lock. */
static void give_back(unsigned member)
{
    uint64_t words;
    const uint64_t *row = held_by(member, &words);

    for (uint64_t at = 0; at < words; at++) {
        uint64_t word = row[at];
        unsigned first, count;
        while ((count = next_run(&word, &first)))
            drop_run(member, at * 64 + first, count);
    }
    held_clear(member);
    member_forget(member);
}

void slot_give_back(unsigned member)
{
    enter();
    give_back(member);
    leave();
}

/* With the lock. Whether there was anything to give back. */
static bool reap(unsigned looks)
{
    uint32_t count = member_count();
    bool found = false;

    for (uint32_t i = 0; i < count && i < looks; i++) {
        table->looked_at = (table->looked_at + 1) % count;
        if (!member_is_dead(table->looked_at))
            continue;
        give_back(table->looked_at);
        found = true;
    }
    return found;
}

void slot_reap(unsigned looks)
{
    enter();
    reap(looks);
    leave();
}

int slot_take(unsigned want, slot_t *first, unsigned *count)
{
    uint64_t found = 0;
    uint64_t run;

    enter();
    run = find_run(want, &found);
    if (unlikely(run == BITMAP_NONE) && reap(MEMBERS_MAX))
        run = find_run(want, &found);
    if (run != BITMAP_NONE) {
        held_add(member_own(), run, found);
        for_each_part(run, found, use_part);
        add(&table->used, found);
        table->cursor = (uint32_t)(run + found);
    }
    leave();
    *first = (slot_t)run;
    *count = (unsigned)found;
    return run == BITMAP_NONE ? -ENOSPC : 0;
}

static void retire_part(struct unit *unit, uint64_t first, uint64_t count)
{
    unit->used = (uint16_t)(unit->used - count);
    retire(first, count);
    add(&table->in_service, -count);
}

void slot_retire(slot_t first, unsigned count)
{
    enter();
    check(held_remove(member_own(), first, count));
    for_each_part(first, count, retire_part);
    add(&table->used, -(uint64_t)count);
    leave();
}

uint64_t slot_used(void)
{
    return atomic_load_explicit(&table->used, memory_order_relaxed);
}

uint64_t slot_in_service(void)
{
    return atomic_load_explicit(&table->in_service, memory_order_relaxed);
}

uint64_t slot_available(void)
{
    uint64_t used = slot_used();
    uint64_t in_service = slot_in_service();

    return in_service > used ? in_service - used : 0;
}

unsigned slot_references(slot_t slot)
{
    unsigned count = 0;

    enter();
    for (unsigned member = 0; member < member_count(); member++) {
        uint64_t words;
        const uint64_t *row = held_by(member, &words);
        count += slot / 64 < words && row[slot / 64] >> slot % 64 & 1;
    }
    leave();
    return count;
}
