/* SPDX-License-Identifier: MIT */
/*
 * The file of a trace: a header, then blocks, one after the other, appended whole. What a killed
 * process wrote can be read up to its last whole block. Numbers are in the machine's byte order.
 *
 *     header | block: RECORDS | block: MODULES | block: RECORDS | ...
 *
 * Records of several threads come in the order in which they were fetched: by thread, each thread's
 * own in order.
 */
#ifndef USWAP_OBSERVE_TRACE_FORMAT_H
#define USWAP_OBSERVE_TRACE_FORMAT_H

#include <stdint.h>

#define TRACE_MAGIC       UINT64_C(0x6563617274777375) /* "uswtrace" */
#define TRACE_VERSION     3
#define TRACE_BLOCK_MAGIC UINT32_C(0x6b6c6275) /* "ublk" */
#define TRACE_BLOCK_MAX   (UINT32_C(1) << 20)  /* bytes behind the head of a block */

struct trace_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_size;
    uint32_t record_size;
    uint32_t page_size;
    uint64_t window_base; /* the address of page 0 */
    uint64_t began;       /* CLOCK_REALTIME, ns */
    uint64_t budget;      /* bytes */
    int64_t pid;
    int64_t parent;
    uint32_t stack_reads; /* one of so many faults that read a store has a stack; of the others */
    uint32_t stack_others;
    char command[440]; /* arguments, separated by spaces; cut */
};
_Static_assert(sizeof(struct trace_header) == 512, "the layout is that of the file");

enum trace_block_type {
    TRACE_RECORDS = 1,
    TRACE_MODULES, /* text: what is mapped to be executed, all of it anew; a line each:
                      FIRST END OFFSET BUILD-ID PATH, numbers in hexadecimal, - for no build-id */
};

struct trace_block {
    uint32_t magic;
    uint32_t type;
    uint32_t size;  /* bytes that follow */
    uint32_t check; /* the low half of XXH3 of them */
};

enum trace_kind {
    TRACE_NONE,
    TRACE_FAULT_FRESH,     /* page; duration; memory that had no content yet */
    TRACE_FAULT_MASKED,    /* the same; it was masked, its content in memory */
    TRACE_FAULT_READ,      /* the same; it was read from a store */
    TRACE_FAULT_PACKED,    /* the same; it came from compressed RAM, and no store was read */
    TRACE_FAULT_PROTECTED, /* the same; it was clean, and written to */
    TRACE_FAULT_OTHER,     /* the same; another thread has resolved it meanwhile */
    TRACE_AHEAD,           /* pages that came along; value: the kind of the fault they came with */
    TRACE_MASK,            /* pages have been masked: moved to frames */
    TRACE_EVICT,           /* pages that were masked have left memory */
    TRACE_DROP,            /* pages have left memory as they were clean, without being masked */
    TRACE_DISCARD,         /* pages have lost their content: freed, or advised away */
    TRACE_READ,            /* page: slot; pages; duration */
    TRACE_WRITE,           /* the same, from the submission on */
    TRACE_MAP,             /* page, pages: a region; value: pages of an object; its name follows */
    TRACE_UNMAP,           /* page, pages */
    TRACE_FORK,            /* duration: while everything waited for it */
    TRACE_BUDGET,          /* value: pages */
    TRACE_LEVELS,  /* page, pages, value, duration: resident, masked, swapped, budget, in pages */
    TRACE_PACKED,  /* page, pages: memory that compressed RAM takes of resident, content in it */
    TRACE_OVERRUN, /* value: records that found no room, since the last of these */
    TRACE_END,     /* the process ends by itself */
    TRACE_KINDS,
};

enum trace_flags {
    TRACE_BY_WRITE = 1, /* the access was a write, or may have been */
    TRACE_BY_CALL = 2,  /* a system call or the library needed it, no access of the program */
    TRACE_STACK = 4,    /* addresses follow: the instruction, the word at the stack pointer, then
                           return addresses by frame pointers; 0 for none */
    TRACE_FAILED = 8,
};

struct trace_record {
    uint64_t time; /* ns since the trace began, at least 1: when it began */
    uint32_t page;
    uint32_t pages;
    uint32_t duration; /* ns; UINT32_MAX and more: UINT32_MAX */
    uint32_t thread;
    uint32_t value;
    uint8_t kind;
    uint8_t flags;
    uint8_t extra; /* so many records behind this one are data that belongs to it */
    uint8_t unused;
};
_Static_assert(sizeof(struct trace_record) == 32, "the layout is that of the file");

#define TRACE_EXTRA_MAX   4
#define TRACE_STACK_DEPTH (TRACE_EXTRA_MAX * 32 / 8)

#endif
