/* SPDX-License-Identifier: MIT */
#include "object/pool_file.h"

#include "base/clock.h"
#include "base/fnv.h"
#include "base/lock.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#define VERSION 1

static const char magic[8] = "uswappl";

/* The default private share: a part of the pool, within bounds. A process has about 1 MiB of
 * metadata; more than the largest does no harm to others, for it is theirs when it is asked for. */
#define SHARE_PART 64
#define SHARE_MIN  (256 * KIB)
#define SHARE_MAX  (8 * MIB)

/* No more is wanted of one member at a time, in pages. */
#define WANTED_MAX 4096

/* Where everything lies: another build that lays it out otherwise is told by it. */
static uint64_t layout(void)
{
    static const uint32_t offsets[] = {
        PAGE_SHIFT,
        POOL_MEMBERS,
        sizeof(struct pool_file),
        sizeof(struct pool_member),
        sizeof(struct ledger_entry),
        offsetof(struct pool_file, share),
        offsetof(struct pool_file, count),
        offsetof(struct pool_file, epoch),
        offsetof(struct pool_file, events),
        offsetof(struct pool_file, waiters),
        offsetof(struct pool_file, starved),
        offsetof(struct pool_file, pages),
        offsetof(struct pool_file, promises),
        offsetof(struct pool_file, members),
        offsetof(struct ledger, limit),
        offsetof(struct ledger, entries),
        offsetof(struct ledger_entry, announced),
        offsetof(struct pool_member, pid),
        offsetof(struct pool_member, share),
        offsetof(struct pool_member, name),
        offsetof(struct pool_member, tail),
        offsetof(struct pool_member, tail_is_hot),
        offsetof(struct pool_member, used),
        offsetof(struct pool_member, active),
        offsetof(struct pool_member, wanted),
        offsetof(struct pool_member, wanted_since),
    };

    return fnv_hash(FNV_START, offsets, sizeof(offsets));
}

static uint32_t check_of(const struct pool_file *file)
{
    uint64_t sum = fnv_hash(FNV_START, file->magic, sizeof(file->magic));

    sum = fnv_hash(sum, &file->version, sizeof(file->version));
    sum = fnv_hash(sum, &file->layout, sizeof(file->layout));
    sum = fnv_hash(sum, &file->id, sizeof(file->id));
    sum = fnv_hash(sum, &file->size, sizeof(file->size));
    return (uint32_t)(sum ^ sum >> 32);
}

uint64_t pool_file_default_share(uint64_t ram)
{
    return align_down(min_u64(max_u64(ram / SHARE_PART, SHARE_MIN), SHARE_MAX), PAGE_SIZE);
}

uint64_t pool_file_usable(uint64_t ram)
{
    return ram / 4 * 3;
}

uint64_t pool_file_ram(const struct pool_file *file)
{
    return ledger_limit(&file->pages) << PAGE_SHIFT;
}

void pool_file_resize(struct pool_file *file, uint64_t ram)
{
    ledger_set_limit(&file->pages, ram >> PAGE_SHIFT);
    ledger_set_limit(&file->promises, pool_file_usable(ram) >> PAGE_SHIFT);
}

uint32_t pool_file_now_ms(void)
{
    return (uint32_t)(clock_now_ns() / 1000000);
}

void pool_file_ask(struct pool_file *file, unsigned member, uint32_t pages)
{
    struct pool_member *place = &file->members[member];
    uint32_t before = atomic_load(&place->wanted);

    if (before < WANTED_MAX)
        before = atomic_fetch_add(&place->wanted, pages);
    if (before == 0) {
        atomic_store(&place->wanted_since, pool_file_now_ms());
        futex_wake_all_shared(&place->wanted);
    }
}

static int map(int fd, struct pool_file **file)
{
    long address =
        sys_call(SYS_mmap, 0, sizeof(struct pool_file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (address < 0 && address > -4096)
        return (int)address;
    *file = (struct pool_file *)address;
    return 0;
}

void pool_file_unmap(struct pool_file *file)
{
    sys_call(SYS_munmap, file, sizeof(*file));
}

/* A number that tells one pool from another. */
static uint64_t make_id(void)
{
    uint64_t id = 0;

    sys_call(SYS_getrandom, &id, sizeof(id), GRND_NONBLOCK);
    return id;
}

int pool_file_make(int fd, uint64_t ram, uint64_t share)
{
    struct pool_file *file;
    int error = (int)sys_call(SYS_ftruncate, fd, sizeof(*file));

    error = error ? error : map(fd, &file);
    if (error)
        return error;
    memcpy(file->magic, magic, sizeof(magic));
    file->version = VERSION;
    file->layout = layout();
    file->id = make_id();
    file->size = sizeof(*file);
    file->check = check_of(file);
    atomic_store(&file->share, (uint32_t)(share >> PAGE_SHIFT));
    pool_file_resize(file, ram);
    pool_file_unmap(file);
    return 0;
}

/* What is wrong with it; NULL: nothing. */
static const char *find_fault(const struct pool_file *file)
{
    uint64_t ram = pool_file_ram(file);
    uint32_t count = atomic_load(&file->count);

    if (memcmp(file->magic, magic, sizeof(magic)) != 0)
        return "not a pool file";
    if (file->version != VERSION || file->layout != layout())
        return "made by another version of uswap";
    if (file->check != check_of(file) || file->size != sizeof(*file) || ram < POOL_MINIMUM ||
        ledger_limit(&file->promises) > ledger_limit(&file->pages) || count > POOL_MEMBERS ||
        !ledger_is_sound(&file->pages, count) || !ledger_is_sound(&file->promises, count))
        return "damaged";
    return NULL;
}

static int check_size(int fd, const char **reason)
{
    struct stat status;
    int error = (int)sys_call(SYS_fstat, fd, &status);

    if (error)
        return error;
    *reason = "not a pool file of this version of uswap";
    return S_ISREG(status.st_mode) && status.st_size == (off_t)sizeof(struct pool_file) ? 0
                                                                                        : -EBADMSG;
}

int pool_file_map(int fd, struct pool_file **file, const char **reason)
{
    int error;

    *reason = "it cannot be attached";
    error = check_size(fd, reason);
    if (error)
        return error;
    *reason = "it cannot be attached";
    error = map(fd, file);
    if (error)
        return error;
    *reason = find_fault(*file);
    if (*reason) {
        pool_file_unmap(*file);
        error = -EBADMSG;
    }
    return error;
}
