/* SPDX-License-Identifier: MIT */
#include "shared/file.h"

#include "base/door.h"
#include "base/fmt.h"
#include "base/fnv.h"
#include "base/msg.h"
#include "base/owned.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#define VERSION 2

static const char magic[8] = "uswaprg";

/* Where everything lies: another build that lays it out otherwise is told by it. */
static uint64_t layout(void)
{
    static const uint32_t offsets[] = {
        PAGE_SHIFT,
        SHARED_MEMBERS,
        sizeof(struct shared_file),
        sizeof(struct shared_member),
        sizeof(struct shared_object),
        offsetof(struct shared_file, store),
        offsetof(struct shared_file, store_mark),
        offsetof(struct shared_file, store_next),
        offsetof(struct shared_file, room_lock),
        offsetof(struct shared_file, used),
        offsetof(struct shared_file, events),
        offsetof(struct shared_file, hand),
        offsetof(struct shared_file, turn),
        offsetof(struct shared_file, members),
        offsetof(struct shared_member, pending),
        offsetof(struct shared_member, pinned),
        offsetof(struct shared_member, joined),
        offsetof(struct shared_object, writer),
        offsetof(struct shared_object, mapped),
        offsetof(struct shared_object, sum),
    };

    return fnv_hash(FNV_START, offsets, sizeof(offsets));
}

static uint32_t check_of(const struct shared_file *file)
{
    const char *first = (const char *)&file->layout;
    const char *end = file->store + sizeof(file->store);
    uint64_t sum = fnv_hash(FNV_START, file->magic, sizeof(file->magic));

    sum = fnv_hash(sum, &file->version, sizeof(file->version));
    sum = fnv_hash(sum, first, (size_t)(end - first));
    return (uint32_t)(sum ^ sum >> 32) | 1; /* not 0 */
}

static uint64_t content_offset(uint64_t objects)
{
    return align_up(sizeof(struct shared_file) + objects * sizeof(struct shared_object), PAGE_SIZE);
}

static int map(int fd, uint64_t size, struct shared_file **file)
{
    long address = sys_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (address < 0 && address > -4096)
        return (int)address;
    *file = (struct shared_file *)address;
    return 0;
}

int shared_file_make(int fd, const struct shared_shape *shape, struct shared_file **file)
{
    uint64_t content = content_offset(shape->size / shape->object_size);
    int error = (int)sys_call(SYS_ftruncate, fd, content + shape->size);

    /* The table now: a file system that is full later must not stop a member. */
    if (!error)
        error = (int)sys_call(SYS_fallocate, fd, 0, 0, content);
    if (!error)
        error = map(fd, content, file);
    if (error)
        return error;
    memcpy((*file)->magic, magic, sizeof(magic));
    (*file)->version = VERSION;
    (*file)->layout = layout();
    (*file)->size = shape->size;
    (*file)->object_size = shape->object_size;
    (*file)->content = content;
    sys_call(SYS_getrandom, &(*file)->id, sizeof((*file)->id), GRND_NONBLOCK);
    atomic_store(&(*file)->limit, shape->ram >> PAGE_SHIFT);
    return 0;
}

/* 0 is no check: who is killed before has not made it. */
void shared_file_seal(struct shared_file *file)
{
    atomic_thread_fence(memory_order_seq_cst);
    *(volatile uint32_t *)&file->check = check_of(file);
}

void shared_file_unseal(struct shared_file *file)
{
    *(volatile uint32_t *)&file->check = 0;
    atomic_thread_fence(memory_order_seq_cst);
}

static const char none[] = "there is no such region; see uswap region ls";
static const char not_one[] = "not a shared region of this version of uswap";
static const char not_whole[] = "its making or its removal was cut off; remove it";

/* What is wrong with it; NULL: nothing. */
static const char *find_fault(const struct shared_file *file, uint64_t file_size)
{
    bool ours = memcmp(file->magic, magic, sizeof(magic)) == 0;

    if (!file->check && (ours || !*file->magic))
        return not_whole;
    if (!ours)
        return "not a shared region";
    if (file->version != VERSION || file->layout != layout())
        return "made by another version of uswap";
    if (file->check != check_of(file) || !is_power_of_two(file->object_size) ||
        file->object_size < PAGE_SIZE || !file->size || file->size % file->object_size ||
        file->content != content_offset(shared_file_objects(file)) ||
        shared_file_total(file) != file_size || file->store[SHARED_PATH_MAX - 1])
        return "damaged";
    return NULL;
}

/* The header first, which says how long the table is. */
int shared_file_map(int fd, struct shared_file **file, const char **reason)
{
    struct stat status;
    uint64_t size;
    struct shared_file *header;
    int error = (int)sys_call(SYS_fstat, fd, &status);

    *file = NULL;
    *reason = none;
    if (!error && !status.st_size)
        return -ENOENT;
    *reason = not_one;
    if (!error && (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(*header)))
        error = -EBADMSG;
    if (!error)
        error = map(fd, align_up(sizeof(*header), PAGE_SIZE), &header);
    if (error)
        return error;
    *reason = find_fault(header, (uint64_t)status.st_size);
    size = header->content;
    sys_call(SYS_munmap, header, align_up(sizeof(*header), PAGE_SIZE));
    if (*reason)
        return *reason == not_whole ? -EUCLEAN : -EBADMSG;
    *reason = "it cannot be mapped";
    return map(fd, size, file);
}

uint64_t shared_file_content_size(int fd)
{
    struct shared_file header;

    if (sys_call(SYS_pread64, fd, &header, sizeof(header), 0) != (long)sizeof(header))
        return 0;
    return header.size;
}

int shared_file_transfer(long nr, int fd, void *buffer, uint64_t size, uint64_t offset)
{
    for (uint64_t done = 0; done < size;) {
        long got = sys_call(nr, fd, (char *)buffer + done, size - done, offset + done);

        if (got == -EINTR || got == -EAGAIN)
            continue;
        if (got <= 0)
            return got ? (int)got : -EIO;
        done += (uint64_t)got;
    }
    return 0;
}

void shared_file_unmap(struct shared_file *file)
{
    sys_call(SYS_munmap, file, file->content);
}

/* ---- Names ---- */

bool shared_name_is_good(const char *name)
{
    uint64_t user;

    return owned_name_is_good(owned_split(name, &user));
}

void shared_name_path(const char *name, char *path)
{
    uint64_t user;
    const char *own = owned_split(name, &user);

    fmt_write(path, SHARED_PATH_MAX, OWNED_FOLDER SHARED_PREFIX "%lu-%s", user, own);
}

void shared_name_store(const char *name, const char *folder, char *path)
{
    uint64_t user;
    const char *own = owned_split(name, &user);

    fmt_write(path, SHARED_PATH_MAX, "%s/" SHARED_PREFIX "%lu-%s.swap", folder, user, own);
}

static int refuse(const char *name, int error, const char *reason)
{
    char number[8];

    msg_error("region %s: %s (%s)", name, reason, fmt_errno(error, number));
    return error;
}

static int open_named(const char *name, char *path, bool enter)
{
    uint64_t user;
    long fd;
    int error;

    if (!shared_name_is_good(name))
        return refuse(name, -EINVAL, "not the name of a region");
    shared_name_path(name, path);
    fd = enter ? door_open(path, O_RDWR, "region", name)
               : sys_call(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd == -ETIMEDOUT) /* has been said */
        return (int)fd;
    if (fd == -ENOENT)
        return refuse(name, (int)fd, none);
    if (fd == -EACCES)
        return refuse(name, (int)fd, "its owner has not given access to you");
    if (fd < 0)
        return refuse(name, (int)fd, "its file cannot be opened");
    owned_split(name, &user);
    error = owned_check((int)fd, user);
    if (!error)
        return (int)fd;
    sys_call(SYS_close, fd);
    return refuse(name, error, "its file belongs to another user");
}

int shared_file_open(const char *name, char *path)
{
    return open_named(name, path, false);
}

int shared_file_enter(const char *name, char *path)
{
    return open_named(name, path, true);
}
