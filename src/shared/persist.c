/* SPDX-License-Identifier: MIT */
/*
 * Everything is written through a buffer of its own, aligned for O_DIRECT. The order is content,
 * table, fdatasync, page, fdatasync: what says that it is whole is on the disk after it is.
 */
#include "shared/persist.h"

#include "base/fnv.h"
#include "base/meta.h"
#include "base/sys.h"
#include "shared/object.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

static const char magic[8] = "uswapst";

#define VERSION 1

struct record {
    struct shared_sum sum;
    uint64_t stored; /* 0: the object is zero */
};

struct tail {
    char magic[8];
    uint32_t version;
    uint32_t clean;
    uint64_t size, object_size;
    uint64_t id;   /* the seed of the checksums */
    uint64_t mark; /* drawn each time this page is written */
    uint64_t table_check;
    uint64_t check; /* of what stands before it */
};

static uint64_t table_size(uint64_t objects)
{
    return align_up(objects * sizeof(struct record), PAGE_SIZE);
}

uint64_t persist_file_size(const struct shared_shape *shape)
{
    return shape->size + table_size(shape->size / shape->object_size) + PAGE_SIZE;
}

static uint64_t check_of(const struct tail *tail)
{
    return fnv_hash(FNV_START, tail, offsetof(struct tail, check));
}

/* The last page of the file, into a page of ours. */
static int read_tail(int fd, struct tail *page, uint64_t *file_size)
{
    struct stat status;
    int error = (int)sys_call(SYS_fstat, fd, &status);

    if (error)
        return error;
    *file_size = (uint64_t)status.st_size;
    if (*file_size < 2 * PAGE_SIZE || *file_size % PAGE_SIZE)
        return -EBADMSG;
    return shared_file_transfer(SYS_pread64, fd, page, PAGE_SIZE, *file_size - PAGE_SIZE);
}

static bool tail_is_sound(const struct tail *tail, uint64_t file_size)
{
    struct shared_shape shape = {tail->size, tail->object_size, 0};

    return memcmp(tail->magic, magic, sizeof(magic)) == 0 && tail->version == VERSION &&
           tail->check == check_of(tail) && is_power_of_two(tail->object_size) &&
           tail->object_size >= PAGE_SIZE && tail->size % tail->object_size == 0 &&
           persist_file_size(&shape) == file_size;
}

/* Read the tail and check it, into a page that the caller releases. */
static int open_tail(int fd, struct tail **tail)
{
    uint64_t file_size;
    int error = -ENOMEM;

    *tail = meta_reserve(PAGE_SIZE);
    if (*tail)
        error = read_tail(fd, *tail, &file_size);
    if (!error && !tail_is_sound(*tail, file_size))
        error = -EBADMSG;
    return error;
}

int persist_look(int fd, struct shared_shape *shape)
{
    struct tail *tail;
    int error = open_tail(fd, &tail);

    if (!error) {
        shape->size = tail->size;
        shape->object_size = tail->object_size;
        error = tail->clean ? 0 : -EUCLEAN;
    }
    meta_release(tail, PAGE_SIZE);
    return error;
}

static void take_records(struct shared_file *file, const struct record *records)
{
    for (uint64_t i = 0; i < shared_file_objects(file); i++) {
        uint32_t state = records[i].stored ? SHARED_STORED | SHARED_COPY : SHARED_EMPTY;

        file->objects[i].sum = records[i].sum;
        atomic_store(&file->objects[i].word, state);
    }
}

int persist_load(int fd, struct shared_file *file)
{
    uint64_t size = table_size(shared_file_objects(file));
    struct record *records = meta_reserve(size);
    struct tail *tail = NULL;
    int error = records ? open_tail(fd, &tail) : -ENOMEM;

    if (!error)
        error = shared_file_transfer(SYS_pread64, fd, records, size, file->size);
    if (!error && fnv_hash(FNV_START, records, size) != tail->table_check)
        error = -EBADMSG;
    if (!error) {
        file->id = tail->id;
        atomic_store(&file->store_mark, tail->mark);
        take_records(file, records);
    }
    meta_release(tail, PAGE_SIZE);
    meta_release(records, size);
    return error;
}

static void fill_records(const struct shared_file *file, struct record *records)
{
    for (uint64_t i = 0; i < shared_file_objects(file); i++) {
        uint32_t word = atomic_load(&file->objects[i].word);

        records[i].sum = file->objects[i].sum;
        records[i].stored = shared_state_of(word) != SHARED_EMPTY;
    }
}

/* Draw its mark and write it; behind the content, the table. */
static void complete(struct tail *tail)
{
    memcpy(tail->magic, magic, sizeof(magic));
    tail->version = VERSION;
    sys_call(SYS_getrandom, &tail->mark, sizeof(tail->mark), GRND_NONBLOCK);
    tail->check = check_of(tail);
}

static int write_page(int fd, struct tail *tail)
{
    struct shared_shape shape = {tail->size, tail->object_size, 0};
    int error = shared_file_transfer(SYS_pwrite64, fd, tail, PAGE_SIZE,
                                     persist_file_size(&shape) - PAGE_SIZE);

    return error ? error : (int)sys_call(SYS_fdatasync, fd);
}

static int write_tail(int fd, struct shared_file *file, uint64_t table_check, bool clean)
{
    struct tail *tail = meta_reserve(PAGE_SIZE);
    int error = -ENOMEM;

    if (!tail)
        return error;
    tail->clean = clean;
    tail->size = file->size;
    tail->object_size = file->object_size;
    tail->id = file->id;
    tail->table_check = table_check;
    complete(tail);
    atomic_store(&file->store_next, tail->mark);
    error = write_page(fd, tail);
    if (!error)
        atomic_store(&file->store_mark, tail->mark);
    meta_release(tail, PAGE_SIZE);
    return error;
}

/* Holes behind which the page stands: that one write makes it whole, at whatever point we are
 * killed. */
int persist_make(int fd, const struct shared_shape *shape)
{
    static const char zeros[PAGE_SIZE];
    uint64_t size = table_size(shape->size / shape->object_size);
    struct tail *tail = meta_reserve(PAGE_SIZE);
    int error;

    if (!tail)
        return -ENOMEM;
    tail->clean = 1;
    tail->size = shape->size;
    tail->object_size = shape->object_size;
    sys_call(SYS_getrandom, &tail->id, sizeof(tail->id), GRND_NONBLOCK);
    tail->table_check = FNV_START;
    for (uint64_t done = 0; done < size; done += PAGE_SIZE)
        tail->table_check = fnv_hash(tail->table_check, zeros, PAGE_SIZE);
    complete(tail);
    error = write_page(fd, tail);
    meta_release(tail, PAGE_SIZE);
    return error;
}

int persist_save(struct shared *shared)
{
    struct shared_file *file = shared->file;
    uint64_t size = table_size(shared->count), check = 0;
    struct record *records = meta_reserve(size);
    int error = records ? 0 : -ENOMEM;

    if (!error) {
        fill_records(file, records);
        check = fnv_hash(FNV_START, records, size);
        error = shared_file_transfer(SYS_pwrite64, shared->store_fd, records, size, file->size);
    }
    if (!error)
        error = (int)sys_call(SYS_fdatasync, shared->store_fd);
    if (!error)
        error = write_tail(shared->store_fd, file, check, true);
    meta_release(records, size);
    return error;
}

/* Two regions can have been made of one file; what one has written the other does not know. Who
 * was killed while it wrote the page has left either mark. */
static bool is_ours(const struct shared_file *file, const struct tail *tail)
{
    return tail->mark == atomic_load(&file->store_mark) ||
           tail->mark == atomic_load(&file->store_next);
}

int persist_begin_use(struct shared *shared)
{
    struct tail *tail;
    int error = open_tail(shared->store_fd, &tail);
    bool clean = !error && tail->clean;

    if (!error && !is_ours(shared->file, tail))
        error = -ESTALE;
    meta_release(tail, PAGE_SIZE);
    return error || !clean ? error : write_tail(shared->store_fd, shared->file, 0, false);
}
