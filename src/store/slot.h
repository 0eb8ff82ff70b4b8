/* SPDX-License-Identifier: MIT */
/*
 * Slots: which are free, and how many references each has. In memory shared by the family, under
 * one lock; see slot.c.
 *
 * Slots come into service in units of UNIT_SLOTS, when there is disk space behind them, and leave
 * service when a whole unit is free. Any thread with signals blocked and any fault handler may
 * call these; none waits for IO.
 */
#ifndef USWAP_STORE_SLOT_H
#define USWAP_STORE_SLOT_H

#include "store/store.h"

#define UNIT_SLOTS 512u /* 2 MiB */
#define UNIT_BYTES (UNIT_SLOTS * PAGE_SIZE)

/* Make the tables for slots 0 to limit - 1; limit is a multiple of UNIT_SLOTS. None is in service.
 */
int slot_start(uint64_t limit) must_check;
void slot_stop(void);

/* Never hand out these slots; before their unit is in service. */
void slot_exclude(slot_t first, unsigned count);

/* The first run of units out of service in [first, end), at most max long; 0: none. */
uint32_t slot_absent_units(uint32_t first, uint32_t end, uint32_t max, uint32_t *found);

/* Put units out of service into service. */
void slot_add_units(uint32_t first, uint32_t count);

/* Take a run of up to max entirely free units in [first, end) out of service, the last such run;
 * returns its length, 0: none. */
uint32_t slot_withdraw_units(uint32_t first, uint32_t end, uint32_t max, uint32_t *found);

/* Never hand out any slot of these units again; those in use stay so until they are dropped. */
void slot_close_units(uint32_t first, uint32_t end);

/* As store_take_slots(). */
int slot_take(unsigned want, slot_t *first, unsigned *count) must_check;
/* As store_drop_references(). */
void slot_drop_references(const slot_t *slots, size_t count);
/* As store_retire_slots(). */
void slot_retire(slot_t first, unsigned count);

/* Have another member, the child of a fork to come, hold all that this one holds. */
void slot_share(unsigned member);

/* Give back what a member holds, and its number; only of one that does not run (any more). */
void slot_give_back(unsigned member);

/* The same for those of the next so many members that are dead. */
void slot_reap(unsigned looks);

/* Slots in use, slots in service (used or not), and slots that could still be taken. */
uint64_t slot_used(void);
uint64_t slot_in_service(void);
uint64_t slot_available(void);

/* How many members hold a slot: for tests and checks. */
unsigned slot_references(slot_t slot);

#endif
