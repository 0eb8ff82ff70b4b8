/* SPDX-License-Identifier: MIT */
/*
 * The log and the table that says where the content of a slot is in it.
 *
 * Reading takes no lock. A reader announces itself at the segment and looks then whether the
 * slot's place is still the same; who takes a segment for new content has changed all places that
 * led into it before, and looks then whether somebody reads. One of the two sees the other.
 */
#include "store/packed.h"

#include "base/meta.h"
#include "base/mman.h"
#include "base/sys.h"
#include "observe/status.h"
#include "store/codec.h"
#include "store/packed_log.h"

#include <errno.h>
#include <string.h>

/* So large a part of the pages could be packed more densely before that is done. */
#define LOOSE_SHARE 8

/* Slots whose places are in one page. */
#define PLACES_PAGE (PAGE_SIZE / sizeof(place_t))

_Static_assert(CODEC_PACKED_MAX <= UINT16_MAX, "the size of an entry");

struct packed_log packed;

/* ---- Start and end ---- */

static void reset_lists(void)
{
    packed.absent = (struct segment_list){SEGMENT_NONE, SEGMENT_NONE, SEGMENT_ABSENT};
    packed.free = (struct segment_list){SEGMENT_NONE, SEGMENT_NONE, SEGMENT_FREE};
    packed.full = (struct segment_list){SEGMENT_NONE, SEGMENT_NONE, SEGMENT_FULL};
    packed.open = packed.cleaning = SEGMENT_NONE;
    packed.top = 0;
}

static size_t touched_size(uint64_t slots)
{
    return align_up(slots / PLACES_PAGE + 1, 64) / 8;
}

int packed_start(uint64_t slots, uint32_t max_segments)
{
    uint32_t most = UINT32_MAX / SEGMENT_UNITS - 1;

    packed.lock = (struct lock)LOCK_INIT(RANK_PACKED);
    packed.slots = slots;
    packed.max_segments = (uint32_t)min_u64(max_segments, most);
    reset_lists();
    packed.memory = meta_reserve((uint64_t)packed.max_segments * PACKED_SEGMENT_BYTES);
    packed.segments = meta_reserve(packed.max_segments * sizeof(*packed.segments));
    packed.places = meta_reserve(slots * sizeof(*packed.places));
    packed.touched = meta_reserve(touched_size(slots));
    if (!packed.memory || !packed.segments || !packed.places || !packed.touched ||
        packed_clean_start()) {
        packed_stop();
        return -ENOMEM;
    }
    return 0;
}

void packed_stop(void)
{
    packed_clean_stop();
    meta_release(packed.memory, (uint64_t)packed.max_segments * PACKED_SEGMENT_BYTES);
    meta_release(packed.segments, packed.max_segments * sizeof(*packed.segments));
    meta_release(packed.places, packed.slots * sizeof(*packed.places));
    meta_release(packed.touched, touched_size(packed.slots));
    memset(&packed, 0, sizeof(packed));
    atomic_store(&status_page.gauges.packed_memory, 0);
    atomic_store(&status_page.gauges.packed_content, 0);
}

bool packed_is_on(void)
{
    return packed.places != NULL;
}

void packed_fork_child(void)
{
    lock_reset(&packed.lock);
}

/* ---- Segments ---- */

static void unlink_segment(struct segment_list *list, uint32_t number)
{
    struct segment *segment = &packed.segments[number];

    if (segment->previous == SEGMENT_NONE)
        list->first = segment->next;
    else
        packed.segments[segment->previous].next = segment->next;
    if (segment->next == SEGMENT_NONE)
        list->last = segment->previous;
    else
        packed.segments[segment->next].previous = segment->previous;
    if (list == &packed.free)
        atomic_fetch_sub_explicit(&packed.free_count, 1, memory_order_relaxed);
}

uint32_t segment_take(struct segment_list *list)
{
    uint32_t number = list->first;

    if (number != SEGMENT_NONE)
        unlink_segment(list, number);
    return number;
}

void segment_put(struct segment_list *list, uint32_t number)
{
    struct segment *segment = &packed.segments[number];

    segment->state = list->state;
    segment->next = SEGMENT_NONE;
    segment->previous = list->last;
    if (list->last == SEGMENT_NONE)
        list->first = number;
    else
        packed.segments[list->last].next = number;
    list->last = number;
    if (list == &packed.free)
        atomic_fetch_add_explicit(&packed.free_count, 1, memory_order_relaxed);
}

void segment_rest(uint32_t number)
{
    segment_put(packed.segments[number].live ? &packed.full : &packed.free, number);
}

/* One that nobody reads any more. */
static uint32_t take_free(void)
{
    uint32_t number = packed.free.first;

    while (number != SEGMENT_NONE && atomic_load(&packed.segments[number].readers))
        number = packed.segments[number].next;
    if (number != SEGMENT_NONE)
        unlink_segment(&packed.free, number);
    return number;
}

static int populate(uint32_t number)
{
    char *memory = packed.memory + (uint64_t)number * PACKED_SEGMENT_BYTES;
    long error = sys_call(SYS_madvise, memory, PACKED_SEGMENT_BYTES, MADV_POPULATE_WRITE);

    /* Before Linux 5.14 it comes page by page, when it is written to. */
    return error == -EINVAL ? 0 : (int)error;
}

int packed_add_segment(void)
{
    uint32_t number;
    int error;

    lock_take(&packed.lock);
    number = segment_take(&packed.absent);
    if (number == SEGMENT_NONE && packed.top < packed.max_segments)
        number = packed.top++;
    lock_drop(&packed.lock);
    if (number == SEGMENT_NONE)
        return -ENOMEM;
    error = populate(number);
    lock_take(&packed.lock);
    segment_put(error ? &packed.absent : &packed.free, number);
    lock_drop(&packed.lock);
    if (!error)
        atomic_fetch_add(&status_page.gauges.packed_memory, PACKED_SEGMENT_PAGES);
    return error;
}

bool packed_remove_segment(void)
{
    uint32_t number;

    lock_take(&packed.lock);
    number = take_free();
    lock_drop(&packed.lock);
    if (number == SEGMENT_NONE)
        return false;
    sys_call(SYS_madvise, packed.memory + (uint64_t)number * PACKED_SEGMENT_BYTES,
             PACKED_SEGMENT_BYTES, MADV_DONTNEED);
    lock_take(&packed.lock);
    segment_put(&packed.absent, number);
    lock_drop(&packed.lock);
    atomic_fetch_sub(&status_page.gauges.packed_memory, PACKED_SEGMENT_PAGES);
    return true;
}

uint32_t packed_segments(void)
{
    uint64_t pages = atomic_load_explicit(&status_page.gauges.packed_memory, memory_order_relaxed);

    return (uint32_t)(pages / PACKED_SEGMENT_PAGES);
}

uint32_t packed_free_segments(void)
{
    return atomic_load_explicit(&packed.free_count, memory_order_relaxed);
}

/* As it was a moment ago. */
bool packed_has_room(void)
{
    uint32_t open = __atomic_load_n(&packed.open, __ATOMIC_RELAXED);

    return packed_free_segments() ||
           (open != SEGMENT_NONE &&
            packed.segments[open].used + units_of(CODEC_PACKED_MAX) <= SEGMENT_UNITS);
}

/* ---- Entries ---- */

/* The open segment has room for so many units. */
static bool make_room(uint32_t units)
{
    if (packed.open != SEGMENT_NONE && packed.segments[packed.open].used + units > SEGMENT_UNITS)
        segment_rest(packed.open);
    else if (packed.open != SEGMENT_NONE)
        return true;
    packed.open = take_free();
    if (packed.open == SEGMENT_NONE)
        return false;
    packed.segments[packed.open].used = 0;
    packed.segments[packed.open].live = 0;
    packed.segments[packed.open].state = SEGMENT_OPEN;
    return true;
}

/* Places take memory where there are slots. */
static void charge_places(slot_t slot)
{
    uint64_t page = slot / PLACES_PAGE, bit = UINT64_C(1) << (page % 64);

    if (packed.touched[page / 64] & bit)
        return;
    packed.touched[page / 64] |= bit;
    meta_charge(PAGE_SIZE);
}

place_t packed_append(slot_t slot, const struct packed_page *page, uint64_t checksum,
                      unsigned flags)
{
    uint32_t units = units_of(page->size);
    struct segment *segment;
    struct entry *entry;
    place_t place;

    if (!make_room(units))
        return 0;
    segment = &packed.segments[packed.open];
    place = packed.open * SEGMENT_UNITS + segment->used + 1;
    entry = entry_at(place);
    entry->slot = slot;
    entry->size = (uint16_t)page->size;
    entry->checksum = checksum;
    if (page->codec == CODEC_ZSTD)
        flags |= ENTRY_ZSTD;
    atomic_store_explicit(&entry->flags, (uint16_t)flags, memory_order_relaxed);
    memcpy(entry->content, page->content, page->size);
    segment->used += units;
    segment->live++;
    if (is_loose(entry))
        atomic_fetch_add_explicit(&packed.loose, 1, memory_order_relaxed);
    charge_places(slot);
    atomic_fetch_add(&status_page.gauges.packed_content, 1);
    atomic_store(&packed.places[slot], place);
    return place;
}

void packed_remove(place_t place)
{
    struct segment *segment = segment_of(place);
    struct entry *entry = entry_at(place);

    if (atomic_load(&packed.places[entry->slot]) == place)
        atomic_store(&packed.places[entry->slot], 0);
    if (is_loose(entry))
        atomic_fetch_sub_explicit(&packed.loose, 1, memory_order_relaxed);
    atomic_fetch_sub(&status_page.gauges.packed_content, 1);
    segment->live--;
    if (segment->live || segment->state != SEGMENT_FULL)
        return;
    unlink_segment(&packed.full, (place - 1) / SEGMENT_UNITS);
    segment_put(&packed.free, (place - 1) / SEGMENT_UNITS);
}

bool packed_put(slot_t slot, const struct packed_page *page, uint64_t checksum, bool in_file)
{
    bool kept;

    lock_take(&packed.lock);
    kept = packed_append(slot, page, checksum, in_file ? ENTRY_IN_FILE : 0) != 0;
    lock_drop(&packed.lock);
    return kept;
}

bool packed_has(slot_t slot)
{
    return packed_is_on() && slot < packed.slots &&
           atomic_load_explicit(&packed.places[slot], memory_order_acquire);
}

int packed_get(slot_t slot, void *page)
{
    struct packed_page packed_page;
    struct segment *segment;
    struct entry *entry;
    place_t place;
    int error;

    for (;;) {
        place = packed_is_on() ? atomic_load(&packed.places[slot]) : 0;
        if (!place)
            return -ENOENT;
        segment = segment_of(place);
        atomic_fetch_add(&segment->readers, 1);
        if (atomic_load(&packed.places[slot]) == place)
            break;
        atomic_fetch_sub(&segment->readers, 1);
    }
    entry = entry_at(place);
    atomic_fetch_or_explicit(&entry->flags, ENTRY_READ, memory_order_relaxed);
    packed_page = packed_page_of(entry);
    error = codec_unpack(&packed_page, page);
    atomic_fetch_sub(&segment->readers, 1);
    return error;
}

bool packed_forget(slot_t slot)
{
    place_t place;
    bool now = true;

    if (!packed_has(slot))
        return true;
    lock_take(&packed.lock);
    place = atomic_load(&packed.places[slot]);
    if (place && atomic_load(&entry_at(place)->flags) & ENTRY_WRITING) {
        atomic_fetch_or(&entry_at(place)->flags, ENTRY_FORGOTTEN);
        now = false;
    } else if (place) {
        packed_remove(place);
    }
    lock_drop(&packed.lock);
    return now;
}

uint64_t packed_pages(void)
{
    return atomic_load_explicit(&status_page.gauges.packed_content, memory_order_relaxed);
}

bool packed_is_loose(void)
{
    return atomic_load_explicit(&packed.loose, memory_order_relaxed) > packed_pages() / LOOSE_SHARE;
}
