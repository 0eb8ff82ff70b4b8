/* SPDX-License-Identifier: MIT */
/*
 * Two words have to change, the total and the member's own, and a process can be killed between any
 * two instructions. So a change is announced, made by one compare-and-swap on the total, and then
 * carried over into the member's word, by whoever comes next if the member does not do it itself:
 *
 *   announced   what the member wants to add, and the number of this change
 *   total       the sum, and which change of which member was the last
 *   held        what the member holds, and its last change that is in it
 *
 * Invariants
 *   1. Before the total is changed, the last change is carried over (settle()). So only the last
 *      one can be missing in its member's word.
 *   2. A member announces a change only when its last one has been carried over, so what it has
 *      announced stays there as long as somebody may have to carry it over.
 *   3. Killed before the compare-and-swap, a change has not been made; killed after it, it is known
 *      from the total, and will be carried over.
 *   4. Changes of a member are numbered, also beyond its death: who clears a dead member announces
 *      the one change that takes all, with the next number. Whoever comes to that later finds the
 *      number used up.
 */
#include "object/ledger.h"

#define MEMBER_BITS 10
#define NUMBER_BITS 22
#define NUMBER_MASK ((UINT64_C(1) << NUMBER_BITS) - 1)

_Static_assert(LEDGER_MEMBERS == 1 << MEMBER_BITS, "a member is a number of MEMBER_BITS bits");

/* A word: an amount in the high half; in the low half a member (in the total only) and a number. */
static uint64_t word(uint64_t amount, unsigned member, uint64_t number)
{
    return amount << 32 | (uint64_t)member << NUMBER_BITS | (number & NUMBER_MASK);
}

static uint64_t amount_of(uint64_t word)
{
    return word >> 32;
}

static uint64_t number_of(uint64_t word)
{
    return word & NUMBER_MASK;
}

static unsigned member_of(uint64_t word)
{
    return (unsigned)(word >> NUMBER_BITS) & (LEDGER_MEMBERS - 1);
}

/* Announced amounts are signed. */
static int32_t change_of(uint64_t word)
{
    return (int32_t)(word >> 32);
}

static uint64_t next_number(uint64_t held)
{
    return (number_of(held) + 1) & NUMBER_MASK;
}

/* Carry the last change over into its member's word. */
static void settle(struct ledger *ledger, uint64_t total)
{
    struct ledger_entry *entry = &ledger->entries[member_of(total)];
    uint64_t held = atomic_load(&entry->held);
    uint64_t announced = atomic_load(&entry->announced);

    /* An announcement read too late is that of a later change: this one has been carried over. */
    if (next_number(held) == number_of(total) && number_of(announced) == number_of(total))
        atomic_compare_exchange_strong(
            &entry->held, &held,
            word(amount_of(held) + (uint64_t)(int64_t)change_of(announced), 0, number_of(total)));
}

/* Make the change that the member has announced, and that is numbered after held. */
static bool make_change(struct ledger *ledger, unsigned member, uint64_t held, int64_t change,
                        uint64_t limit)
{
    struct ledger_entry *entry = &ledger->entries[member];
    uint64_t number = next_number(held);

    for (;;) {
        uint64_t total = atomic_load(&ledger->total);
        int64_t sum = (int64_t)amount_of(total) + change;

        settle(ledger, total);
        if (number_of(atomic_load(&entry->held)) != number_of(held))
            return true; /* somebody else has done it */
        if (change > 0 && (uint64_t)sum > limit)
            return false;
        if (atomic_compare_exchange_weak(&ledger->total, &total,
                                         word((uint64_t)sum, member, number)))
            break;
    }
    settle(ledger, word(0, member, number));
    return true;
}

static bool change_own(struct ledger *ledger, unsigned member, int64_t change, uint64_t limit)
{
    struct ledger_entry *entry = &ledger->entries[member];
    uint64_t held = atomic_load(&entry->held);

    atomic_store(&entry->announced, word((uint64_t)change & UINT32_MAX, 0, next_number(held)));
    return make_change(ledger, member, held, change, limit);
}

uint64_t ledger_limit(const struct ledger *ledger)
{
    return atomic_load_explicit(&ledger->limit, memory_order_relaxed);
}

void ledger_set_limit(struct ledger *ledger, uint64_t limit)
{
    atomic_store(&ledger->limit, limit);
}

uint64_t ledger_total(const struct ledger *ledger)
{
    return amount_of(atomic_load_explicit(&ledger->total, memory_order_relaxed));
}

uint64_t ledger_held(const struct ledger *ledger, unsigned member)
{
    return amount_of(atomic_load_explicit(&ledger->entries[member].held, memory_order_relaxed));
}

int64_t ledger_free(const struct ledger *ledger)
{
    return (int64_t)ledger_limit(ledger) - (int64_t)ledger_total(ledger);
}

bool ledger_take(struct ledger *ledger, unsigned member, uint32_t amount)
{
    return change_own(ledger, member, (int64_t)amount, ledger_limit(ledger));
}

void ledger_take_beyond(struct ledger *ledger, unsigned member, uint32_t amount)
{
    if (!change_own(ledger, member, (int64_t)amount, LEDGER_MAX))
        __builtin_trap(); /* 8 TiB */
}

void ledger_give(struct ledger *ledger, unsigned member, uint32_t amount)
{
    if (!change_own(ledger, member, -(int64_t)amount, 0))
        __builtin_trap();
}

struct ledger_seen ledger_look(struct ledger *ledger, unsigned member)
{
    const struct ledger_entry *entry = &ledger->entries[member];

    settle(ledger, atomic_load(&ledger->total));
    return (struct ledger_seen){atomic_load(&entry->held), atomic_load(&entry->announced)};
}

/* Also when nothing is held: the change that the dead one has announced uses up its number. */
bool ledger_clear(struct ledger *ledger, unsigned member, struct ledger_seen seen)
{
    struct ledger_entry *entry = &ledger->entries[member];
    int64_t change = -(int64_t)amount_of(seen.held);
    uint64_t wanted = word((uint64_t)change & UINT32_MAX, 0, next_number(seen.held));
    uint64_t announced = seen.announced;

    if (announced != wanted &&
        !atomic_compare_exchange_strong(&entry->announced, &announced, wanted) &&
        announced != wanted)
        return false;
    return make_change(ledger, member, seen.held, change, 0);
}

bool ledger_is_sound(const struct ledger *ledger, unsigned count)
{
    uint64_t sum = 0;

    for (unsigned member = 0; member < count; member++)
        sum += ledger_held(ledger, member);
    return sum <= LEDGER_MAX;
}
