/* SPDX-License-Identifier: MIT */
/* Which arguments of which system call point to memory, and to how much of it. */
#ifndef USWAP_HEAP_GUARD_TABLE_H
#define USWAP_HEAP_GUARD_TABLE_H

#include "base/base.h"

/* System call numbers below this one are known. */
#define GUARD_CALLS 512

enum guard_kind {
    GUARD_VALUE,     /* not a pointer */
    GUARD_FIXED,     /* unit bytes */
    GUARD_SIZED,     /* unit times argument `by` bytes */
    GUARD_BITS,      /* as many bits as argument `by`, rounded up to whole words */
    GUARD_MEASURED,  /* as many bytes as the uint32_t that argument `by` points to */
    GUARD_UP_TO,     /* unit bytes, or as many of them as there are in the region */
    GUARD_STRING,    /* up to its NUL */
    GUARD_STRINGS,   /* pointers up to NULL, and the strings they point to */
    GUARD_VECTOR,    /* argument `by` entries of struct iovec, and their buffers */
    GUARD_MESSAGE,   /* a struct msghdr and all it points to */
    GUARD_MESSAGES,  /* argument `by` entries of struct mmsghdr */
    GUARD_IOCTL,     /* as much as argument `by`, a request, says */
    GUARD_MASK,      /* struct { pointer, size }, as the last argument of pselect6 */
    GUARD_PROGRAM,   /* a struct sock_fprog and its instructions */
    GUARD_REQUESTS,  /* argument `by` pointers to struct iocb */
    GUARD_WAITERS,   /* argument `by` entries of struct futex_waitv, and their words */
    GUARD_PAIR,      /* two of them */
    GUARD_ATTRIBUTE, /* a struct xattr_args and its value */
    GUARD_TRACE,     /* what ptrace() takes with argument `by`, a request */
    GUARD_TEXT,      /* a long and argument `by` bytes: a System V message */
    GUARD_ADDRESS,   /* of a mapping: see heap/map/map.h */
};

struct guard_argument {
    uint8_t kind;
    uint8_t by;
    uint16_t unit;
};

/* How a transfer that is larger than what may be pinned is done in parts. */
enum guard_parts {
    GUARD_WHOLE,  /* it is not */
    GUARD_READ,   /* (fd, buffer, size[, offset]): short is legal, except from regular files */
    GUARD_WRITE,  /* the same; all of it when the descriptor blocks */
    GUARD_READV,  /* (fd, vector, count[, offset low, offset high]) */
    GUARD_WRITEV, /* the same */
};

struct guard_call {
    struct guard_argument argument[6];
    uint8_t parts;    /* enum guard_parts */
    bool has_offset;  /* argument 3 is a file offset */
    bool is_indirect; /* its memory may hold pointers to more memory */
};

/* NULL: the call takes no pointer that the guard cares for. */
const struct guard_call *guard_table_find(long number);

/* Which arguments are pointers: bit n for argument n. */
unsigned guard_table_pointers(const struct guard_call *call);

#endif
