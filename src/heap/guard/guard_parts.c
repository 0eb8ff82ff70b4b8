/* SPDX-License-Identifier: MIT */
/*
 * A transfer is a cursor over buffers: a plain one is a vector of one. Each part is a vector call
 * or a plain call of the same kind, for as many bytes as may be pinned, until a part comes short.
 */
#include "heap/guard/guard_parts.h"

#include "arena/arena.h"
#include "base/sys.h"
#include "heap/guard/guard_call.h"
#include "heap/guard/guard_pins.h"
#include "heap/guard/guard_walk.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* Entries of the vector of one part. */
#define PART_ENTRIES 8

struct cursor {
    const struct iovec *vector;
    size_t count;
    size_t skip; /* bytes of the first entry that are done */
};

struct transfer {
    const struct guard_call *call;
    long number;
    long arguments[6];
    struct cursor cursor;
    size_t done;
    bool goes_on; /* a part that was taken whole is followed by the next */
};

static bool is_vector(const struct guard_call *call)
{
    return call->parts == GUARD_READV || call->parts == GUARD_WRITEV;
}

static bool is_write(const struct guard_call *call)
{
    return call->parts == GUARD_WRITE || call->parts == GUARD_WRITEV;
}

static size_t window_bytes(const struct iovec *vector, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        if (window_overlaps(vector[i].iov_base, vector[i].iov_len))
            bytes += vector[i].iov_len;
    return bytes;
}

static bool vector_too_large(const struct iovec *vector, size_t count)
{
    guard_pins pins = guard_pins_open();
    bool readable = count <= IOV_MAX && guard_walk_readable(vector, count * sizeof(*vector));
    bool large = readable && window_bytes(vector, count) > arena_pin_chunk();

    guard_pins_close(pins);
    return large;
}

/* Datagrams, and sockets that keep message boundaries. */
static bool is_message_socket(int fd)
{
    int type = SOCK_STREAM;
    unsigned size = sizeof(type);

    return sys_call(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           type != SOCK_STREAM;
}

bool guard_parts_needed(const struct guard_call *call, const long arguments[6])
{
    bool large = false;

    if (call->parts == GUARD_WHOLE)
        return false;
    if (is_vector(call))
        large = vector_too_large((const struct iovec *)arguments[1], (size_t)arguments[2]);
    else
        large = (size_t)arguments[2] > arena_pin_chunk() &&
                window_overlaps((const void *)arguments[1], (size_t)arguments[2]);
    return large && !is_message_socket((int)arguments[0]);
}

static bool is_file(int fd)
{
    struct stat stat;

    return sys_call(SYS_fstat, fd, &stat) == 0 && (S_ISREG(stat.st_mode) || S_ISBLK(stat.st_mode));
}

/* Entries for the next part, and its size. */
static size_t fill_part(const struct cursor *cursor, struct iovec part[PART_ENTRIES], size_t *size)
{
    size_t skip = cursor->skip;
    size_t room = arena_pin_chunk();
    size_t used = 0;

    for (size_t i = 0; i < cursor->count && used < PART_ENTRIES && room > 0; i++, skip = 0) {
        size_t rest = cursor->vector[i].iov_len - skip;
        size_t take = min_u64(rest, room);
        part[used++] = (struct iovec){(char *)cursor->vector[i].iov_base + skip, take};
        room -= take;
    }
    *size = arena_pin_chunk() - room;
    return used;
}

static void advance(struct cursor *cursor, size_t bytes)
{
    cursor->skip += bytes;
    while (cursor->count > 0 && cursor->skip >= cursor->vector->iov_len) {
        cursor->skip -= cursor->vector->iov_len;
        cursor->vector++;
        cursor->count--;
    }
}

/* One part; whether there may be another. */
static bool do_part(struct transfer *transfer, long *result)
{
    struct iovec part[PART_ENTRIES];
    long arguments[6];
    size_t size;
    size_t used = fill_part(&transfer->cursor, part, &size);

    memcpy(arguments, transfer->arguments, sizeof(arguments));
    arguments[1] = is_vector(transfer->call) ? (long)part : (long)part[0].iov_base;
    arguments[2] = is_vector(transfer->call) ? (long)used : (long)part[0].iov_len;
    if (transfer->call->has_offset && arguments[3] != -1)
        arguments[3] += (long)transfer->done;

    *result = guard_call_once(transfer->call, transfer->number, arguments);
    if (*result <= 0)
        return false;
    transfer->done += (size_t)*result;
    advance(&transfer->cursor, (size_t)*result);
    return (size_t)*result == size && transfer->goes_on && transfer->cursor.count > 0;
}

static long do_parts(struct transfer *transfer)
{
    long result;

    while (do_part(transfer, &result))
        continue;
    return transfer->done > 0 ? (long)transfer->done : result;
}

long guard_parts_transfer(const struct guard_call *call, long number, const long arguments[6])
{
    struct iovec plain = {(void *)arguments[1], (size_t)arguments[2]};
    struct transfer transfer = {.call = call, .number = number, .cursor = {&plain, 1, 0}};
    guard_pins pins = guard_pins_open();

    if (is_vector(call)) {
        transfer.cursor.vector = (const struct iovec *)arguments[1];
        transfer.cursor.count = (size_t)arguments[2];
        guard_pins_add_up_to(transfer.cursor.vector, transfer.cursor.count * sizeof(struct iovec));
    }
    memcpy(transfer.arguments, arguments, sizeof(transfer.arguments));
    transfer.goes_on = is_write(call) || is_file((int)arguments[0]);

    long result = do_parts(&transfer);
    guard_pins_close(pins);
    return result;
}
