/* SPDX-License-Identifier: MIT */
/*
 * Coming and going: the regions that this process has attached, and files and stores of regions.
 */
#ifndef USWAP_SHARED_ATTACH_H
#define USWAP_SHARED_ATTACH_H

#include "shared/region.h"

/* Regions that a process can have attached. */
#define SHARED_ATTACHED 8

/* The regions that are attached, with holes. Changed while nobody is in a fault handler. */
extern struct shared *_Atomic shared_attached[SHARED_ATTACHED];

/* Open a region: its file, its store and the alias, as a member, but without a view. A place for
 * that, if it is asked for (not NULL), is kept. */
int shared_open(const char *name, void *view, struct shared **shared) must_check;

/* Give it up. What was mapped has been unmapped. The last one leaves a store that stays whole. */
int shared_close(struct shared *shared) must_check;

/* The same, in the region's door (base/door.h) all the time. On an error a region whose file could
 * be opened is left there, for shared_drop(); else it is NULL. */
int shared_enter(const char *name, void *view, struct shared **shared) must_check;
int shared_save(struct shared *shared) must_check;
void shared_leave(struct shared *shared);
void shared_drop(struct shared *shared);

/* Take an attached region out of the table, before shared_close(). NULL: none begins there. */
struct shared *shared_take_out(const void *view);

#endif
