/* SPDX-License-Identifier: MIT */
/*
 * Order of what the file says, so that whoever finds it half done knows what is true:
 *
 *   in     FILLING; read; compare checksums; RESIDENT
 *   out    EVICTING, without SHARED_COPY from the moment the store's content is no longer the
 *          object's; write; checksum; DROPPING with SHARED_COPY; drop from memory; STORED
 *
 * Who wants an object that is EVICTING takes it back and uses it, while we perhaps still write what
 * it was, or have been stopped before we do. So what the store has of it counts for nothing, and
 * nobody else may write it there: that we are its writer keeps it in memory until we have found
 * out.
 *
 * What has not changed since it was read is not written: its checksum (128 bits of XXH3) is that of
 * the store's copy. What is all zero is not kept at all.
 */
#include "shared/move.h"

#include "base/fmt.h"
#include "base/mman.h"
#include "base/msg.h"
#include "base/sys.h"
#include "observe/status.h"
#include "observe/trace.h"
#include "shared/object.h"
#include "shared/room.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define RUN_BYTES   (1 * MIB)
#define RUN_OBJECTS 64

uint64_t move_run_max(const struct shared *shared)
{
    return max_u64(min_u64(RUN_BYTES >> shared->object_shift, RUN_OBJECTS), 1);
}

static struct shared_sum sum_of(const struct shared *shared, uint64_t object)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(shared_alias(shared, object),
                                               shared_object_size(shared), shared->file->id);

    return (struct shared_sum){hash.low64, hash.high64};
}

static bool same_sum(struct shared_sum a, struct shared_sum b)
{
    return a.low == b.low && a.high == b.high;
}

static int transfer(struct shared *shared, long nr, uint64_t first, uint64_t count)
{
    return shared_file_transfer(nr, shared->store_fd, shared_alias(shared, first),
                                count << shared->object_shift, first << shared->object_shift);
}

/* What the region says of all members, and what this process says of itself. */
static void count_error(struct shared *shared)
{
    atomic_fetch_add(&shared->file->io_errors, 1);
    stats_add(STAT_IO_ERRORS, 1);
}

static void count_read(struct shared *shared, uint64_t first, uint64_t count)
{
    atomic_fetch_add(&shared->file->reads, count * shared_object_pages(shared));
    stats_add(STAT_BYTES_READ, count << shared->object_shift);
    TRACE_PROBE(shared_read, shared->file->id, first, count);
}

static void count_written(struct shared *shared, uint64_t first, uint64_t count)
{
    atomic_fetch_add(&shared->file->writes, count * shared_object_pages(shared));
    stats_add(STAT_BYTES_WRITTEN, count << shared->object_shift);
    TRACE_PROBE(shared_write, shared->file->id, first, count);
}

static void count_evicted(struct shared *shared, uint64_t first, uint64_t count)
{
    atomic_fetch_add(&shared->file->evictions, count);
    stats_add(STAT_OBJECTS_EVICTED, count);
    TRACE_PROBE(shared_evict, shared->file->id, first, count);
}

/* ---- In ---- */

/* An object that could not be brought in is what it was; room is given back for all by the caller.
 */
static void put_back(struct shared *shared, uint64_t first, uint64_t count)
{
    bool dropped = shared_punch(shared, first, count) == 0;

    for (uint64_t i = first; i < first + count; i++) {
        uint32_t word = shared_load(shared, i);
        bool known = dropped || word & SHARED_COPY;
        shared_release(shared, i, known ? shared_absent(word) : SHARED_POISONED);
    }
}

static void poison(struct shared *shared, uint64_t object, const char *reason)
{
    if (shared_punch(shared, object, 1))
        msg_debug("region %s: what is lost stays in memory", shared->name);
    atomic_fetch_add(&shared->file->poisoned, 1);
    stats_add(STAT_OBJECTS_POISONED, 1);
    msg_error("region %s: the object at offset %lu is lost: %s", shared->name,
              (unsigned long)(object << shared->object_shift), reason);
    shared_release(shared, object, SHARED_POISONED);
}

static bool intact(const struct shared *shared, uint64_t object)
{
    return !(shared_load(shared, object) & SHARED_COPY) ||
           same_sum(sum_of(shared, object), shared->file->objects[object].sum);
}

/* What is wrong with a run is found out object by object. */
static int give_up(struct shared *shared, uint64_t first, uint64_t count, int error)
{
    char name[8];

    if (count == 1 && (error == -EIO || error == -EBADMSG)) {
        count_error(shared);
        poison(shared, first, error == -EIO ? "it cannot be read" : "its content has changed");
        error = -EIO;
    } else {
        if (error != -EIO && error != -EBADMSG && !atomic_exchange(&shared->cramped, true))
            msg_warning("region %s: no memory in " OWNED_FOLDER " (%s); it does with less",
                        shared->name, fmt_errno(error, name));
        put_back(shared, first, count);
        error = count > 1 ? -EAGAIN : -ENOSPC;
    }
    room_give(shared, (uint32_t)count * shared_object_pages(shared));
    return error;
}

/* Touching the file when its file system is full would be a SIGBUS of ours. */
static int make_pages(struct shared *shared, uint64_t first, uint64_t count)
{
    return (int)sys_call(SYS_madvise, shared_alias(shared, first), count << shared->object_shift,
                         MADV_POPULATE_WRITE);
}

/* All of the run are of one kind. */
static int read_run(struct shared *shared, uint64_t first, uint64_t count)
{
    int error = transfer(shared, SYS_pread64, first, count);

    for (uint64_t i = first; !error && i < first + count; i++)
        error = intact(shared, i) ? 0 : -EBADMSG;
    if (error && error != -EBADMSG && error != -ENOMEM)
        error = -EIO;
    if (!error)
        count_read(shared, first, count);
    return error;
}

int move_in(struct shared *shared, uint64_t first, uint64_t count)
{
    int error = make_pages(shared, first, count);

    if (error)
        return give_up(shared, first, count, -ENOSPC);
    if (shared_load(shared, first) & SHARED_COPY)
        error = read_run(shared, first, count);
    if (error)
        return give_up(shared, first, count, error);
    room_settle(shared, first, count);
    return 0;
}

/* ---- Out ---- */

static bool all_zero(const struct shared *shared, uint64_t object)
{
    const char *content = shared_alias(shared, object);

    return !*content && memcmp(content, content + 1, shared_object_size(shared) - 1) == 0;
}

enum fate {
    TAKEN_BACK,
    CLEAN, /* the store has it, or it is all zero */
    DIRTY,
    GOING, /* DROPPING */
};

/* Nothing of ours can reach its place in the store any more. */
static void end_writing(struct shared *shared, uint64_t object)
{
    atomic_store(&shared->file->objects[object].writer, 0);
}

/* Decide what has to be done for an object. */
static enum fate look_at(struct shared *shared, uint64_t object)
{
    struct shared_object *entry = &shared->file->objects[object];
    uint32_t copy = shared_load(shared, object) & SHARED_COPY;
    bool zero = all_zero(shared, object);
    struct shared_sum sum = sum_of(shared, object);

    if (!zero && copy && same_sum(sum, entry->sum)) {
        atomic_fetch_add(&shared->file->clean_drops, 1);
        stats_add(STAT_OBJECTS_DROPPED_CLEAN, 1);
        return CLEAN;
    }
    if (!shared_advance(shared, object, SHARED_EVICTING | copy, SHARED_EVICTING))
        return TAKEN_BACK;
    entry->sum = sum;
    return zero ? CLEAN : DIRTY;
}

static int write_run(struct shared *shared, uint64_t first, uint64_t count)
{
    int error = transfer(shared, SYS_pwrite64, first, count);
    char name[8];

    if (error) {
        count_error(shared);
        msg_error("region %s: its store cannot be written (%s); what was to leave memory stays",
                  shared->name, fmt_errno(error, name));
        return error;
    }
    count_written(shared, first, count);
    return 0;
}

/* It has been looked at, and what is DIRTY has been written. */
static enum fate begin_drop(struct shared *shared, uint64_t object, enum fate fate)
{
    uint32_t before = shared_load(shared, object) & SHARED_COPY;
    uint32_t after = fate == DIRTY ? SHARED_COPY : before;

    return shared_advance(shared, object, SHARED_EVICTING | before, SHARED_DROPPING | after)
               ? GOING
               : TAKEN_BACK;
}

/* It could not be written. */
static void give_back(struct shared *shared, uint64_t object)
{
    bool ours = shared_advance(shared, object, SHARED_EVICTING, SHARED_RESIDENT);

    end_writing(shared, object);
    if (ours)
        shared_release(shared, object, SHARED_RESIDENT);
}

static uint64_t drop_run(struct shared *shared, uint64_t first, uint64_t count)
{
    bool dropped = shared_punch(shared, first, count) == 0;

    for (uint64_t i = first; i < first + count; i++) {
        end_writing(shared, i);
        if (!dropped)
            shared_release(shared, i, SHARED_RESIDENT);
    }
    if (!dropped)
        return 0;
    room_release(shared, first, count);
    count_evicted(shared, first, count);
    return count;
}

/* How many from here on are alike. */
static uint64_t alike(const enum fate *fates, uint64_t from, uint64_t count)
{
    uint64_t i = from + 1;

    while (i < count && fates[i] == fates[from])
        i++;
    return i - from;
}

/* Objects with one fate, which is written first when they are DIRTY. */
static void begin_drops(struct shared *shared, uint64_t first, uint64_t count, enum fate *fates)
{
    bool failed = fates[0] == DIRTY && write_run(shared, first, count);

    for (uint64_t i = 0; i < count; i++) {
        if (failed) {
            give_back(shared, first + i);
            continue;
        }
        fates[i] = begin_drop(shared, first + i, fates[i]);
        if (fates[i] == TAKEN_BACK)
            end_writing(shared, first + i);
    }
}

uint64_t move_out(struct shared *shared, uint64_t first, uint64_t count)
{
    enum fate fates[RUN_OBJECTS];
    uint64_t gone = 0;

    for (uint64_t i = 0; i < count; i++)
        fates[i] = look_at(shared, first + i);
    for (uint64_t i = 0, n; i < count; i += n) {
        n = alike(fates, i, count);
        if (fates[i] == TAKEN_BACK)
            end_writing(shared, first + i), n = 1;
        else
            begin_drops(shared, first + i, n, fates + i);
    }
    for (uint64_t i = 0, n; i < count; i += n) {
        n = alike(fates, i, count);
        if (fates[i] == GOING)
            gone += drop_run(shared, first + i, n);
    }
    return gone;
}
