/* SPDX-License-Identifier: MIT */
#include "arena/ground.h"

#include "arena/arena.h"
#include "arena/pin.h"
#include "arena/region.h"
#include "arena/traits.h"

/* Above lie the frames of what called us, to which the child of a fork returns before its window is
 * covered. */
#define ABOVE (8 * KIB / PAGE_SIZE)
#define BELOW (32 * KIB / PAGE_SIZE)

/* Others may push a page out between the touch and the pin; not so many times. */
#define TRIES 1000

/* From outside the engine, by a touch: one cannot wait for an object on the very stack that is not
 * held yet. */
static bool hold_page(object_t page)
{
    char *address = page_address(page);

    if (!region_maps(page) || traits_of(page) & (TRAIT_NO_READ | TRAIT_NO_WRITE | TRAIT_FOREIGN))
        return false;
    for (int i = 0; i < TRIES; i++) {
        __atomic_fetch_or(address, 0, __ATOMIC_RELAXED);
        if (pin_if_resident(page, page))
            return true;
    }
    return false;
}

static struct ground hold_around(object_t here)
{
    struct ground ground = {here, here};

    while (ground.end < here + ABOVE && hold_page(ground.end))
        ground.end++;
    while (ground.first > here - BELOW && hold_page(ground.first - 1))
        ground.first--;
    return ground;
}

struct ground ground_hold(void)
{
    const void *here = __builtin_frame_address(0);

    if (likely(!window_contains(here)))
        return (struct ground){0, 0};
    return hold_around(page_of(here));
}

void ground_drop(struct ground ground)
{
    if (ground.first < ground.end)
        arena_unpin(page_address(ground.first), (size_t)(ground.end - ground.first) * PAGE_SIZE);
}
