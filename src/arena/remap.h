/* SPDX-License-Identifier: MIT */
/* Content changes its address: what mremap() needs. */
#ifndef USWAP_ARENA_REMAP_H
#define USWAP_ARENA_REMAP_H

#include "object/object.h"

/*
 * Move the content of pages to others, which are mapped and hold nothing; both ranges have objects
 * of one page and do not overlap. The source is empty afterwards. Without IO: what is evicted stays
 * where it is and belongs to another object. Inside the gate, signals blocked. On an error
 * (-ENOMEM) all is where it was.
 */
int remap_pages(object_t from, object_t to, uint32_t pages) must_check;

#endif
