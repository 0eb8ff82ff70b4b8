/* SPDX-License-Identifier: MIT */
/*
 * Emptying segments, the oldest first. A job is one write of neighbouring slots, which are
 * unpacked for it into memory of its own.
 *
 * An entry that is being written stays readable where it is, and its slot stays ours: were the slot
 * given to somebody else now, two writes for one place would be in flight.
 */
#include "base/bits.h"
#include "base/fmt.h"
#include "base/meta.h"
#include "base/msg.h"
#include "store/checksum.h"
#include "store/packed_log.h"
#include "store/slot.h"

#include <errno.h>

#define JOB_PAGES 32

/* So many are packed again at a time, by the swap thread: the lock is held meanwhile. */
#define REPACK_MOST 8

struct job {
    struct store_write write; /* first: done() gets it */
    uint32_t segment;
    place_t places[JOB_PAGES];
    bool keep; /* all that lives, whether it was read or not */
    unsigned repacked;
    char *pages; /* for the write; and before it, for one that is packed again */
};

#define JOBS 4
_Static_assert(JOBS *(sizeof(struct job) + JOB_PAGES * PAGE_SIZE) <= PACKED_JOBS_PAGES * PAGE_SIZE,
               "all jobs are charged");

static struct {
    struct job *jobs;
    char *memory;
    _Atomic uint64_t free; /* a bit each */
    _Atomic uint32_t in_flight;
    void (*progress)(void);
} clean;

int packed_clean_start(void)
{
    clean.jobs = meta_reserve(JOBS * sizeof(*clean.jobs));
    clean.memory = meta_reserve(JOBS * JOB_PAGES * PAGE_SIZE);
    if (!clean.jobs || !clean.memory)
        return -ENOMEM;
    for (unsigned i = 0; i < JOBS; i++)
        clean.jobs[i].pages = clean.memory + i * JOB_PAGES * PAGE_SIZE;
    atomic_store(&clean.free, (1u << JOBS) - 1);
    return 0;
}

void packed_clean_stop(void)
{
    meta_release(clean.jobs, JOBS * sizeof(*clean.jobs));
    meta_release(clean.memory, JOBS * JOB_PAGES * PAGE_SIZE);
    clean.jobs = NULL;
    clean.memory = NULL;
}

void packed_on_progress(void (*call)(void))
{
    clean.progress = call;
}

uint32_t packed_pages_in_flight(void)
{
    return atomic_load_explicit(&clean.in_flight, memory_order_relaxed);
}

/* ---- The end of a write ---- */

/* What is in the file now, or was forgotten meanwhile, goes. Returns the slots to drop. */
static unsigned settle(struct job *job, int error, slot_t *dropped)
{
    unsigned count = 0;

    for (unsigned i = 0; i < job->write.count; i++) {
        struct entry *entry = entry_at(job->places[i]);
        unsigned flags = atomic_fetch_and(&entry->flags, (uint16_t)~ENTRY_WRITING);

        if (flags & ENTRY_FORGOTTEN)
            dropped[count++] = entry->slot;
        if (!error || flags & ENTRY_FORGOTTEN)
            packed_remove(job->places[i]);
    }
    return count;
}

static void report(const struct job *job, int error)
{
    static _Atomic uint64_t failures;
    char place[128], name[8];

    if (is_power_of_two(atomic_fetch_add(&failures, 1) + 1))
        msg_warning("cannot write to %s (%s): what was to go there stays in compressed RAM",
                    store_describe(job->write.first, place, sizeof(place)), fmt_errno(error, name));
}

static void finish(struct job *job, int error)
{
    struct segment *segment = &packed.segments[job->segment];
    slot_t dropped[JOB_PAGES];
    unsigned count;

    lock_take(&packed.lock);
    count = settle(job, error, dropped);
    segment->writes--;
    if (!segment->writes && packed.cleaning != job->segment)
        segment_rest(job->segment);
    lock_drop(&packed.lock);
    slot_drop_references(dropped, count);
    atomic_fetch_sub(&clean.in_flight, job->write.count);
    bits_put(&clean.free, (size_t)(job - clean.jobs));
    if (clean.progress)
        clean.progress();
}

static void write_done(struct store_write *write, int error)
{
    struct job *job = (struct job *)write;

    if (error)
        report(job, error);
    finish(job, error);
}

/* ---- Choosing ---- */

static bool is_live(place_t place)
{
    return atomic_load(&packed.places[entry_at(place)->slot]) == place;
}

/* Pack more densely, if that makes it smaller. Its checksum is compared when it is read. */
static bool repack(struct job *job, const struct packed_page *page, struct packed_page *dense)
{
    job->repacked++;
    if (codec_unpack(page, job->pages) || !codec_pack(job->pages, true, dense))
        return false;
    if (dense->size < page->size)
        return true;
    codec_release(dense);
    return false;
}

/* Append it again; what it keeps of its flags. */
static bool append_again(struct job *job, const struct entry *entry, unsigned flags)
{
    struct packed_page page = packed_page_of(entry), dense;
    bool loose = job->write.within && is_loose(entry);
    bool denser = loose && repack(job, &page, &dense);
    bool appended = packed_append(entry->slot, denser ? &dense : &page, entry->checksum,
                                  flags | (loose ? ENTRY_TIGHT : 0)) != 0;

    if (denser)
        codec_release(&dense);
    return appended;
}

/* One that was read goes to the other end of the log. */
static bool move_on(struct job *job, place_t place)
{
    struct entry *entry = entry_at(place);
    unsigned flags = atomic_load(&entry->flags);
    unsigned kept = ENTRY_IN_FILE | ENTRY_TIGHT | (job->keep ? ENTRY_READ : 0);

    if ((!(flags & ENTRY_READ) && !job->keep) || !append_again(job, entry, flags & kept))
        return false;
    packed_remove(place);
    return true;
}

/* Whether a live entry that has to be written fits into the job. */
static bool add_to_job(struct job *job, place_t place)
{
    struct store_write *write = &job->write;
    struct entry *entry = entry_at(place);

    if (write->count == JOB_PAGES || (write->count && entry->slot != write->first + write->count))
        return false;
    if (!write->count)
        write->first = entry->slot;
    atomic_fetch_or(&entry->flags, ENTRY_WRITING);
    job->places[write->count++] = place;
    return true;
}

/* false: the job has to be written before this one, or there is no room for it. */
static bool look_at(struct job *job, place_t place)
{
    if (!is_live(place) || move_on(job, place))
        return true;
    if (job->keep)
        return false;
    if (!(atomic_load(&entry_at(place)->flags) & ENTRY_IN_FILE))
        return add_to_job(job, place);
    packed_remove(place);
    return true;
}

static void gather(struct job *job)
{
    struct segment *segment = &packed.segments[job->segment];

    while (segment->cleaned < segment->used && job->repacked < REPACK_MOST) {
        place_t place = job->segment * SEGMENT_UNITS + segment->cleaned + 1;
        uint32_t units = units_of(entry_at(place)->size);

        if (!look_at(job, place))
            break;
        segment->cleaned += units;
    }
    if (job->write.count)
        segment->writes++;
    if (segment->cleaned < segment->used)
        return;
    packed.cleaning = SEGMENT_NONE;
    if (!segment->writes)
        segment_rest(job->segment);
}

static bool choose_segment(void)
{
    struct segment *segment;

    if (packed.cleaning != SEGMENT_NONE)
        return true;
    packed.cleaning = segment_take(&packed.full);
    if (packed.cleaning == SEGMENT_NONE)
        return false;
    segment = &packed.segments[packed.cleaning];
    segment->state = SEGMENT_CLEANING;
    segment->cleaned = 0;
    segment->writes = 0;
    return true;
}

/* ---- Writing ---- */

/* Nothing that does not match its checksum gets into the file. */
static int unpack(struct job *job)
{
    struct store_write *write = &job->write;

    for (unsigned i = 0; i < write->count; i++) {
        char *page = job->pages + i * PAGE_SIZE;
        int error = packed_get(write->first + i, page);

        if (!error && checksum_page(page) != entry_at(job->places[i])->checksum)
            error = -EBADMSG;
        if (error)
            return error;
    }
    return 0;
}

static void write_out(struct job *job)
{
    int error = unpack(job);

    atomic_fetch_add(&clean.in_flight, job->write.count);
    if (error) {
        write_done(&job->write, error);
        return;
    }
    job->write.buffers[0] = (struct iovec){job->pages, job->write.count * PAGE_SIZE};
    job->write.buffer_count = 1;
    job->write.done = write_done;
    store_submit(&job->write);
}

/* Go on with the oldest segment. false: there is none, or no job for it. */
static bool go_on(bool within, bool keep)
{
    int bit = bits_take(&clean.free);
    struct job *job = bit < 0 ? NULL : &clean.jobs[bit];
    bool chosen;

    if (!job)
        return false;
    job->write.count = 0;
    job->write.within = within;
    job->keep = keep;
    job->repacked = 0;
    lock_take(&packed.lock);
    chosen = choose_segment();
    job->segment = packed.cleaning;
    if (chosen)
        gather(job);
    lock_drop(&packed.lock);
    if (job->write.count)
        write_out(job);
    else
        bits_put(&clean.free, (size_t)bit);
    return chosen;
}

bool packed_clean(bool within)
{
    return go_on(within, false);
}

bool packed_condense(void)
{
    return packed_free_segments() && go_on(true, true);
}
