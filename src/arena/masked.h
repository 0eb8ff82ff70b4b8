/* SPDX-License-Identifier: MIT */
/*
 * What a masked object holds: the frame at the same distance from the first frame for each of its
 * pages that is not unmapped. The frames at unmapped pages are not its own.
 */
#ifndef USWAP_ARENA_MASKED_H
#define USWAP_ARENA_MASKED_H

#include "object/frame.h"
#include "object/object.h"

/* Move neighbouring objects that the caller owns out of the window into holes from `frame` on,
 * which the caller has taken. On an error everything is where it was, and the holes are given back.
 */
int masked_move_out(object_t first, uint32_t pages, frame_t frame) must_check;

/* Move a masked object that the caller owns back into the window; its frames are holes afterwards.
 */
int masked_move_in(object_t first, uint32_t pages, frame_t frame) must_check;

/* The frames of some pages of a masked object are free. */
void masked_release(object_t first, uint32_t pages, frame_t frame);

/* Make an object masked again that was claimed in that state and did not leave it. */
void masked_requeue(object_t object, frame_t frame);

#endif
