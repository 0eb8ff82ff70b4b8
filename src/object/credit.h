/* SPDX-License-Identifier: MIT */
/*
 * A credit: pages that this process may use, and how many of them it does. Of a ledger it borrows
 * in batches and gives what it does not use back, so that the memory shared with others is touched
 * seldom; what it holds counts there as used. Without a ledger it is what it was set to.
 *
 * Any thread and any fault handler may call these. Using is lock-free; borrowing takes a lock of
 * this process (RANK_BUDGET) and blocks signals meanwhile.
 */
#ifndef USWAP_OBJECT_CREDIT_H
#define USWAP_OBJECT_CREDIT_H

#include "base/lock.h"
#include "object/ledger.h"

struct credit {
    _Atomic uint64_t own_word; /* held and used: half of the bits each, used below */
    _Atomic uint64_t *place;   /* where that is counted instead; NULL: there */
    struct lock lock;          /* changes of what is held */
    struct ledger *ledger;     /* NULL: nothing is borrowed */
    unsigned member;
    uint32_t floor;           /* this much is never given back */
    _Atomic uint32_t reserve; /* nor, unless it is asked for, this much that is not used */
};

#define CREDIT_INIT                                                                                \
    {                                                                                              \
        .lock = LOCK_INIT(RANK_BUDGET)                                                             \
    }

/* One that is counted elsewhere. */
#define CREDIT_AT(place_)                                                                          \
    {                                                                                              \
        .place = (place_), .lock = LOCK_INIT(RANK_BUDGET)                                          \
    }

/* Without a ledger: what may be used. */
void credit_set(struct credit *credit, uint32_t pages);

/* Borrow from a ledger in which the member holds something already; also in the child of a fork,
 * which uses what its parent used. */
void credit_borrow_from(struct credit *credit, struct ledger *ledger, unsigned member,
                        uint32_t floor);

uint32_t credit_held(const struct credit *credit);
uint32_t credit_used(const struct credit *credit);

/* Use more; extra pages are used otherwise and must fit too. Returns what is used then, extra left
 * out; 0: it does not fit. */
uint32_t credit_take(struct credit *credit, uint32_t pages, uint32_t extra) must_check;

/* Use more although it may not fit: then it is taken beyond the ledger's limit. */
uint32_t credit_take_beyond(struct credit *credit, uint32_t pages, uint32_t extra);

void credit_give(struct credit *credit, uint32_t pages);

/* Use up to so much less; returns how much. */
uint32_t credit_give_up_to(struct credit *credit, uint32_t pages);

/* In the child of a fork, which uses something else than its parent. */
void credit_set_used(struct credit *credit, uint32_t pages);

/* What is kept for the next ones who use some, in pages; a batch at least. */
void credit_set_reserve(struct credit *credit, uint32_t pages);

/* Borrow what is used more than held, or what there is of it; give back what is held beyond twice
 * the reserve. */
void credit_settle(struct credit *credit, uint32_t extra);

/* Give back all that is held in vain, at once. */
void credit_return(struct credit *credit, uint32_t extra);

/* Pages that could be used now; negative when others need some of those that are. */
int64_t credit_room(const struct credit *credit, uint32_t extra);

#endif
