/* SPDX-License-Identifier: MIT */
#include "object/pool.h"

#include "base/lock.h"
#include "base/meta.h"
#include "base/msg.h"
#include "base/ring.h"
#include "object/age.h"

#include <errno.h>

/* The part of the resident objects that the cold ring may hold before the hot ring gives way. */
#define COLD_SHARE 6

/* The score rises by RETURN_WEIGHT with each hot object that comes back soon after it left, and
 * falls by one with each that leaves: more than one of four of them keep it above the half. Then a
 * full hot ring takes one of RETURN_SHARE objects that come back soon. */
#define RETURN_WEIGHT 4
#define SCORE_MAX     64
#define RETURN_SHARE  16

/* What is in this part of the cold ring, at its head, may leave beside its neighbours. */
#define OLD_SHARE 8

static struct {
    struct lock lock;
    struct ring cold;   /* of objects */
    struct ring hot;    /* of objects */
    struct ring masked; /* of first frames */
    _Atomic uint64_t masked_pages;
    _Atomic uint32_t touched_pages; /* of masked ones, ever */
    _Atomic uint32_t returned;      /* objects, when the hot ring was to take some */
    _Atomic int score;              /* races lose a count now and then */
} pool = {.lock = LOCK_INIT(RANK_POOL)};

/* Move the entries to a larger array; each keeps its sequence number. */
static int ring_grow(struct ring *ring, uint32_t capacity)
{
    size_t size = (size_t)capacity * sizeof(uint32_t);
    struct ring fresh = {meta_reserve(size), capacity, ring->head, ring->tail};

    if (!fresh.entries)
        return -ENOMEM;
    for (uint32_t sequence = ring->head; sequence != ring->tail; sequence++)
        fresh.entries[sequence & (capacity - 1)] = ring->entries[sequence & (ring->capacity - 1)];
    meta_release(ring->entries, ring->capacity * sizeof(uint32_t));
    meta_charge((int64_t)size - (int64_t)(ring->capacity * sizeof(uint32_t)));
    *ring = fresh;
    return 0;
}

/* At most half of a full ring is current, so cleaning it always makes room. */
static uint32_t capacity_for(uint64_t pages)
{
    uint32_t capacity = 4096;

    while (capacity < 2 * pages && capacity < UINT32_C(1) << 31)
        capacity *= 2;
    return capacity;
}

int pool_set_budget(uint64_t pages)
{
    struct ring *rings[] = {&pool.cold, &pool.hot, &pool.masked};
    uint32_t capacity = capacity_for(pages);
    int error = 0;

    lock_take(&pool.lock);
    for (size_t i = 0; !error && i < array_size(rings); i++) {
        if (rings[i]->capacity < capacity)
            error = ring_grow(rings[i], capacity);
    }
    lock_drop(&pool.lock);
    return error;
}

/* Make room for one entry. Only a budget that was exceeded by far needs a larger ring. */
static void ring_make_room(struct ring *ring, void (*clean)(struct ring *ring))
{
    if (!ring_full(ring))
        return;
    clean(ring);
    if (ring_count(ring) > ring->capacity / 2 && ring_grow(ring, 2 * ring->capacity))
        msg_error("no memory for the order of eviction");
}

static struct ring *ring_of(uint64_t flags)
{
    return flags & OBJECT_HOT ? &pool.hot : &pool.cold;
}

/* Whether a popped entry is the one its RESIDENT object knows. */
static bool resident_current(const struct ring *ring, struct ring_entry entry, uint64_t word)
{
    return object_state_of(word) == OBJECT_RESIDENT && object_where_of(word) == entry.sequence &&
           ring_of(word) == ring;
}

static struct ring *ring_to_shrink(void)
{
    uint64_t cold = ring_count(&pool.cold), hot = ring_count(&pool.hot);

    return cold * COLD_SHARE >= cold + hot ? &pool.cold : &pool.hot;
}

/* Members of a pool of processes learn now and then how old our next victim is. */
static uint32_t push_resident(struct ring *ring, object_t object)
{
    uint32_t sequence = ring_push(ring, object);

    if (unlikely(sequence % AGE_STEP == 0)) {
        age_note(ring, ring == &pool.hot, sequence);
        age_publish(ring_to_shrink(), ring_to_shrink() == &pool.hot);
    }
    return sequence;
}

/* Put a RESIDENT object that nobody owns back at the tail; nothing if it changes meanwhile. */
static void requeue(struct ring *ring, struct ring_entry entry, uint64_t word)
{
    uint32_t sequence = push_resident(ring, entry.value);
    uint64_t flags = word & (OBJECT_HOT | OBJECT_AHEAD | OBJECT_CLEAN_MASK);

    if (object_claim_pinned(entry.value, word))
        object_publish(entry.value, OBJECT_RESIDENT | flags, sequence);
}

static void clean_resident(struct ring *ring)
{
    for (uint32_t left = ring_count(ring); left; left--) {
        struct ring_entry entry;
        if (!ring_pop(ring, &entry))
            break;
        uint64_t word = object_load(entry.value);
        if (resident_current(ring, entry, word))
            requeue(ring, entry, word);
    }
}

static bool masked_current(struct ring_entry entry, uint64_t word)
{
    const struct frame_owner *owner = frame_owner(entry.value);

    return owner->sequence == entry.sequence && object_state_of(word) == OBJECT_MASKED &&
           object_where_of(word) == entry.value;
}

static void clean_masked(struct ring *ring)
{
    for (uint32_t left = ring_count(ring); left; left--) {
        struct ring_entry entry;
        if (!ring_pop(ring, &entry))
            break;
        if (masked_current(entry, object_load(frame_owner(entry.value)->object)))
            frame_owner(entry.value)->sequence = ring_push(ring, entry.value);
    }
}

void pool_add(object_t first, uint32_t count, uint64_t flags)
{
    struct ring *ring = ring_of(flags);
    uint32_t step = object_pages(first);

    lock_take(&pool.lock);
    for (uint32_t i = 0; i < count; i++) {
        object_t object = first + i * step;
        ring_make_room(ring, clean_resident);
        object_publish(object, OBJECT_RESIDENT | flags, push_resident(ring, object));
    }
    lock_drop(&pool.lock);
}

void pool_put_back(object_t object, uint64_t word)
{
    struct ring *ring = ring_of(word);
    uint32_t sequence = object_where_of(word);
    uint64_t flags = word & (OBJECT_HOT | OBJECT_AHEAD | OBJECT_CLEAN_MASK);

    lock_take(&pool.lock);
    if (sequence - ring->head >= ring_count(ring)) {
        ring_make_room(ring, clean_resident);
        sequence = push_resident(ring, object);
    }
    object_publish(object, OBJECT_RESIDENT | flags, sequence);
    lock_drop(&pool.lock);
}

void pool_add_masked(object_t object, frame_t first)
{
    lock_take(&pool.lock);
    ring_make_room(&pool.masked, clean_masked);
    *frame_owner(first) = (struct frame_owner){object, ring_push(&pool.masked, first)};
    atomic_fetch_add_explicit(&pool.masked_pages, object_pages(object), memory_order_relaxed);
    object_publish(object, OBJECT_MASKED | (object_load(object) & (OBJECT_HOT | OBJECT_AHEAD)),
                   first);
    lock_drop(&pool.lock);
}

/* Pop from a resident ring until one object is claimed; false when the budget of looks is spent. */
static bool claim_one(struct ring *ring, object_t *victim, unsigned *looks)
{
    struct ring_entry entry;

    /* A stale entry is gone when it is popped; only those that are put back count. */
    while (*looks && ring_pop(ring, &entry)) {
        uint64_t word = object_load(entry.value);
        if (!resident_current(ring, entry, word))
            continue;
        --*looks;
        if (object_pins_of(word)) {
            requeue(ring, entry, word);
        } else if (object_claim(entry.value, word)) {
            *victim = entry.value;
            return true;
        } else {
            /* A pin came between: it counts again when it is looked at next. */
            word = object_load(entry.value);
            if (resident_current(ring, entry, word))
                requeue(ring, entry, word);
        }
    }
    return false;
}

/* Whether a victim goes on where the one before it ended. */
static bool follows(const object_t *victims, unsigned i)
{
    return i && victims[i] == victims[i - 1] + object_pages(victims[i - 1]);
}

static bool is_old(uint64_t word)
{
    return object_where_of(word) - pool.cold.head < ring_count(&pool.cold) / OLD_SHARE;
}

/*
 * Objects in the chunk of a victim that may be dropped and are nearly as old leave with it; their
 * entries in the ring become stale. The first page taken away from a page table costs many times
 * what each further one does, above all where a hypervisor shadows it. Returns how many.
 */
static unsigned claim_beside(object_t *victims, unsigned most)
{
    object_t object = victims[0] & ~(object_t)(CHUNK_PAGES - 1), end = object + CHUNK_PAGES;
    uint32_t step = object_pages(object);
    unsigned claimed = 0;

    for (; object < end && claimed < most; object += step) {
        uint64_t word = object_load(object);
        if (object_state_of(word) == OBJECT_RESIDENT && pool_may_drop(word) && is_old(word) &&
            object_claim(object, word))
            victims[1 + claimed++] = object;
    }
    return claimed;
}

/* What was claimed for a wish. */
struct claimed {
    unsigned objects;
    uint32_t pages;
    unsigned runs;
    unsigned drops;
};

static bool has_room(const struct pool_wish *wish, const struct claimed *claimed)
{
    return claimed->objects < wish->objects && claimed->pages < wish->pages &&
           claimed->runs <= wish->runs && claimed->drops < wish->drops;
}

/* How many objects like this one, which can be dropped, there is room for, including it; at least
 * one. */
static unsigned room_for(object_t object, const struct pool_wish *wish,
                         const struct claimed *claimed)
{
    uint64_t by_pages = max_u64((wish->pages - claimed->pages) / object_pages(object), 1);
    uint64_t by_drops = wish->drops - claimed->drops;

    return (unsigned)min_u64(wish->objects - claimed->objects, min_u64(by_pages, by_drops));
}

unsigned pool_claim_victims(object_t *victims, const struct pool_wish *wish)
{
    struct claimed claimed = {0};
    unsigned looks = 4 * wish->objects + 64;

    lock_take(&pool.lock);
    while (has_room(wish, &claimed)) {
        struct ring *ring = ring_to_shrink();
        struct ring *other = ring == &pool.cold ? &pool.hot : &pool.cold;
        object_t *victim = &victims[claimed.objects];
        unsigned count = 1;
        if (!claim_one(ring, victim, &looks) && !claim_one(other, victim, &looks))
            break;
        if (pool_may_drop(object_load(*victim))) {
            count += claim_beside(victim, room_for(*victim, wish, &claimed) - 1);
            claimed.drops += count;
        } else {
            claimed.runs += !follows(victims, claimed.objects);
        }
        claimed.pages += count * object_pages(*victim);
        claimed.objects += count;
    }
    lock_drop(&pool.lock);
    return claimed.objects;
}

unsigned pool_claim_masked(object_t *victims, unsigned max_objects, uint32_t max_pages)
{
    unsigned claimed = 0;
    uint32_t pages = 0;
    struct ring_entry entry;

    lock_take(&pool.lock);
    while (claimed < max_objects && pages < max_pages && ring_pop(&pool.masked, &entry)) {
        object_t object = frame_owner(entry.value)->object;
        uint64_t word =
            object_load(object); /* one look: who touches it claims it without our lock */
        if (!masked_current(entry, word) || !object_claim(object, word))
            continue;
        victims[claimed++] = object;
        pages += object_pages(object);
    }
    atomic_fetch_sub_explicit(&pool.masked_pages, pages, memory_order_relaxed);
    lock_drop(&pool.lock);
    return claimed;
}

uint64_t pool_masked_pages(void)
{
    return atomic_load_explicit(&pool.masked_pages, memory_order_relaxed);
}

void pool_note_unmasked(uint32_t pages)
{
    atomic_fetch_sub_explicit(&pool.masked_pages, pages, memory_order_relaxed);
}

void pool_note_touched(uint32_t pages)
{
    pool_note_unmasked(pages);
    atomic_fetch_add_explicit(&pool.touched_pages, pages, memory_order_relaxed);
    age_touched(pages, pool_masked_pages());
}

uint32_t pool_touched_pages(void)
{
    return atomic_load_explicit(&pool.touched_pages, memory_order_relaxed);
}

static void add_to_score(int change)
{
    int score = atomic_load_explicit(&pool.score, memory_order_relaxed) + change;

    if (score < 0)
        score = 0;
    if (score > SCORE_MAX)
        score = SCORE_MAX;
    atomic_store_explicit(&pool.score, score, memory_order_relaxed);
}

void pool_note_left(uint64_t word)
{
    if (word & OBJECT_HOT)
        add_to_score(-1);
}

/*
 * A hot ring that always takes what comes back is a queue in which each pushes out one that is as
 * good: of a loop that is a little larger than memory nothing would stay. One that never does keeps
 * what nobody wants any more. What comes back of that which it lost says which of the two it is.
 */
bool pool_takes_returned(uint64_t word)
{
    if (word & OBJECT_HOT)
        add_to_score(RETURN_WEIGHT);
    if (ring_to_shrink() == &pool.cold ||
        atomic_load_explicit(&pool.score, memory_order_relaxed) <= SCORE_MAX / 2)
        return true;
    return atomic_fetch_add_explicit(&pool.returned, 1, memory_order_relaxed) % RETURN_SHARE == 0;
}

uint64_t pool_resident_count(void)
{
    return (uint64_t)ring_count(&pool.cold) + ring_count(&pool.hot);
}

void pool_publish_tail(void)
{
    lock_take(&pool.lock);
    age_publish(ring_to_shrink(), ring_to_shrink() == &pool.hot);
    lock_drop(&pool.lock);
}

void pool_fork_child(void)
{
    lock_reset(&pool.lock);
}
