/* SPDX-License-Identifier: MIT */
/* Compressed RAM: which pages go there, and how much of the budget it has. */
#ifndef USWAP_ARENA_PACK_H
#define USWAP_ARENA_PACK_H

#include "object/object.h"

/* Room for max_pages of memory; after the stores are open. compress: enum uswap_compress. */
int pack_start(int compress, uint64_t max_pages) must_check;

/* A page of a masked object is to leave memory, with this checksum; again: it has left before.
 * Returns a slot whose content is in compressed RAM, SLOT_NONE: it has to be written. */
slot_t pack_page(object_t page, const void *content, uint64_t checksum, bool again);

/* A page is read by itself, so many evictions after it left: from compressed RAM, or from its file.
 */
void pack_note_hit(uint32_t distance);
void pack_note_miss(object_t page, const void *content, uint32_t distance);

/* Some are read together that left at these times of the eviction clock. */
void pack_note_run(bool packed, const uint32_t *left, unsigned count);

/* A thread waits for its read: it may pack a page that was missed before. */
void pack_meanwhile(void);

/* A fault took so long, whose page was in compressed RAM, or in a file. */
void pack_note_time(bool packed, uint64_t ns);

/* Follow what compressed RAM should have of the budget, one step; by whoever evicts, not in the
 * swap thread. Returns the pages that became free. */
uint32_t pack_balance(void);

/* Have room for the pages that are to come; in the swap thread only. */
void pack_make_room(void);

/* Memory cannot be freed otherwise: one step towards less compressed RAM. 0: there is none left, or
 * it is on its way. */
uint32_t pack_shrink(void);

#endif
