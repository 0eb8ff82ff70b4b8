/* SPDX-License-Identifier: MIT */
/*
 * Which slots each member of the family holds a reference to: a bit for each slot and member, in
 * shared memory. Guarded by the lock of the slots. After the death of its holder only the bits of
 * the members that live mean anything.
 */
#ifndef USWAP_STORE_HELD_H
#define USWAP_STORE_HELD_H

#include "base/base.h"

/* For slots 0 to limit - 1, all of which nobody holds. */
int held_start(uint64_t limit) must_check;
void held_stop(void);

/* This member holds a run of slots that it did not hold; or no longer holds one. False: it did not
 * hold all of them. */
void held_add(unsigned member, uint64_t first, uint64_t count);
bool held_remove(unsigned member, uint64_t first, uint64_t count) must_check;

/* The bits, 64 slots a word; *words: those from there on are zero. */
const uint64_t *held_by(unsigned member, uint64_t *words);

/* Of the 64 slots of such a word, which any of the members below `end` hold, and which several do;
 * but for one, who does not count (`end`: all do). Only the slots in `asked` need to be right. */
struct held_word {
    uint64_t any, several;
};
struct held_word held_count(unsigned end, unsigned but, uint64_t at, uint64_t asked);

/* One member holds what the other does, or nothing any more. */
void held_copy(unsigned to, unsigned from);
void held_clear(unsigned member);

/* Bytes in use by one member. */
uint64_t held_bytes(unsigned member);

#endif
