/* SPDX-License-Identifier: MIT */
/*
 * A ledger in memory shared by processes: how much of something each member holds, and how much all
 * hold together, which is at most a limit. Lock-free, and exact whatever instruction a member is
 * killed at: what the dead held can be given back to the last unit.
 *
 * Zeroed memory is an empty ledger with limit 0. Any thread and any fault handler may call these.
 */
#ifndef USWAP_OBJECT_LEDGER_H
#define USWAP_OBJECT_LEDGER_H

#include "base/base.h"

#include <stdatomic.h>

#define LEDGER_MEMBERS 1024

/* What all can hold together. */
#define LEDGER_MAX INT32_MAX

struct ledger {
    _Alignas(64) _Atomic uint64_t total;
    _Alignas(64) _Atomic uint64_t limit;
    struct ledger_entry {
        _Alignas(64) _Atomic uint64_t held;
        _Atomic uint64_t announced;
    } entries[LEDGER_MEMBERS];
};

uint64_t ledger_limit(const struct ledger *ledger);
void ledger_set_limit(struct ledger *ledger, uint64_t limit);

uint64_t ledger_total(const struct ledger *ledger);
uint64_t ledger_held(const struct ledger *ledger, unsigned member);

/* What could be taken now; negative when more is held than the limit is. */
int64_t ledger_free(const struct ledger *ledger);

/*
 * The member itself, one call at a time: take more. false, with nothing changed: the limit would be
 * exceeded. Or take it whatever the limit is; or give back what it holds.
 */
bool ledger_take(struct ledger *ledger, unsigned member, uint32_t amount) must_check;
void ledger_take_beyond(struct ledger *ledger, unsigned member, uint32_t amount);
void ledger_give(struct ledger *ledger, unsigned member, uint32_t amount);

/*
 * Give back all that a dead member holds: look, see that it is dead, and clear what was seen, whose
 * number is not given away meanwhile by whoever has cleared. true: cleared, now or by somebody
 * else. Any number of processes at a time, however late: when the number has a new member by then,
 * nothing happens. false: the member has changed something since the look; look again.
 */
struct ledger_seen {
    uint64_t held, announced;
};
struct ledger_seen ledger_look(struct ledger *ledger, unsigned member);
bool ledger_clear(struct ledger *ledger, unsigned member, struct ledger_seen seen) must_check;

/* Whether the numbers of the first count members can be those of a ledger. */
bool ledger_is_sound(const struct ledger *ledger, unsigned count);

#endif
