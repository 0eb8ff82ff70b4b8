/* SPDX-License-Identifier: MIT */
/*
 * The IO part: where evicted objects live. Above this interface there are slots and content; below
 * it files and devices.
 *
 * A slot is PAGE_SIZE bytes in one of the stores, named by a number that is unique over all stores;
 * 0 is no slot. A slot in use has a reference from each process that holds it, at most one: the
 * children of fork share the slots. Free slots hold nothing. Whether what is read is what was
 * written the caller finds out, who keeps the checksum of what each of his slots holds. What a
 * process held when it ended, in whatever way, is given back by those it shared the stores with.
 *
 * Who may call: the fault handler, the swap thread, and any thread with signals blocked, unless
 * said otherwise. No function here touches the window, mallocs or calls libc functions that lock.
 */
#ifndef USWAP_STORE_STORE_H
#define USWAP_STORE_STORE_H

#include "base/base.h"
#include "store/codec.h"
#include "store/io.h"
#include "uswap/uswap.h"

#include <stdatomic.h>
#include <sys/uio.h>

typedef uint32_t slot_t;
#define SLOT_NONE ((slot_t)0)

/* The pages of one write at most: 1 MiB. */
#define STORE_RUN_MAX 256

/*
 * Open the stores (none given: the default one). Once, at start, not in a handler. A message names
 * the path and the remedy. USWAP_IO=uring or sync in the environment chooses how is written.
 */
int store_open(const struct uswap_store_options *options, unsigned count) must_check;

/* Whether they can be opened, with the same messages; for who will not use them. */
int store_check(const struct uswap_store_options *options, unsigned count) must_check;

/* Wait for what is in flight and close all. Slots and their content are gone. */
void store_close(void);

/* Bytes that the stores can hold, and bytes in slots now. */
uint64_t store_capacity(void);
uint64_t store_used(void);

/*
 * Make sure that the stores can hold so many bytes in all, of all processes that share them: space
 * is allocated, so that a disk that fills up later cannot fail a write, or given back in time.
 * -ENOSPC: they cannot; what was reserved before stays so. The last call counts: who calls this
 * from several threads with values that may fall orders the calls. A call that changes little costs
 * an atomic load; others wait for the file system, so this is not for the fault handler.
 */
int store_reserve(uint64_t bytes) must_check;

/* There is no free slot, for more was touched than promised (USWAP_MAP_OVERCOMMIT): have the swap
 * thread allocate more if there is space. Does not wait. Only who is in flight, or keeps fork away,
 * calls this. */
void store_ask_for_more(void);

/*
 * Take up to want (STORE_RUN_MAX at most) free slots in a row, fewer when there is no such run
 * nearby, with one reference each. Runs are appended: the search goes on where the last one ended,
 * so that what is written together lies together, and turns back to the beginning when enough has
 * become free there, so that no more slot metadata and file is touched than needed. Only reserved
 * space is given. -ENOSPC: no free slot at all.
 */
int store_take_slots(unsigned want, slot_t *first, unsigned *count) must_check;

/* Drop the reference to each slot; the last one frees it. SLOT_NONE entries are passed over. No IO
 * is waited for. */
void store_drop_references(const slot_t *slots, size_t count);

/* Drop slots that were just taken and could not be written: they are never handed out again. A
 * store that fails write after write is given up as a whole by itself. */
void store_retire_slots(slot_t first, unsigned count);

/* Slots that could still be taken. */
uint64_t store_free_slots(void);

/* The checksum of a page; others in each process that opens stores. */
uint64_t store_page_checksum(const void *page);

/*
 * Compressed RAM before the files (packed.h): with the codec and up to so many bytes; once, after
 * store_open(). store_pack: take a slot for a page that shrinks, and keep it there; dense: as small
 * as it can be; false: it does not shrink, or there is no room. store_keep_packed: keep a packed
 * page there, if there is room, that its slot's file has, too. Either with the checksum of the
 * page, which is compared before it is written to the file. store_read_packed: what a slot holds,
 * if it is there. -ENOENT: it is not; -EBADMSG: it is damaged.
 */
int store_open_packed(enum codec codec, uint64_t bytes) must_check;
bool store_pack(const void *page, uint64_t checksum, bool dense, slot_t *slot) must_check;
void store_keep_packed(slot_t slot, const struct packed_page *packed, uint64_t checksum);
int store_read_packed(slot_t slot, void *page) must_check;

/* A read that was begun. The caller owns the memory and what it points to until it has ended. */
struct store_read {
    bool early; /* set by the caller: it may be waited for much later, or given up */
    slot_t first;
    uint64_t begun_ns;
    struct io_request request;
};

/*
 * Read count slots in a row into buffers (page-aligned, each iov_len a multiple of PAGE_SIZE, count
 * pages in all; at most STORE_RUN_MAX of either), in two halves: the thread can do something useful
 * while the device reads. end waits for the device. 0; or what the device said, -EIO for a short
 * read. The message is the caller's (see store_describe()).
 */
void store_read_begin(struct store_read *read, slot_t first, const struct iovec *buffers,
                      unsigned buffer_count);
int store_read_end(struct store_read *read) must_check;

/* Whether the device is at an early one; and its end when nobody wants it: one that the device was
 * never told of is not made. */
bool store_read_is_begun(const struct store_read *read);
void store_read_give_up(struct store_read *read);

/* Both at once. */
int store_read(slot_t first, const struct iovec *buffers, unsigned buffer_count) must_check;

/* A write in flight. The caller owns the memory until done() is called. */
struct store_write {
    /* Set by the caller. */
    slot_t first;
    unsigned count;                      /* slots = pages */
    struct iovec buffers[STORE_RUN_MAX]; /* as for store_read() */
    unsigned buffer_count;
    bool within; /* submitted by a task, see below */
    /* Called once, with 0 or -errno, by the swap thread, or within store_submit() when there is no
     * swap thread. All or nothing: on an error no slot of the run holds anything. It may not wait,
     * and so neither read nor submit: fork would wait for it, and it for fork. */
    void (*done)(struct store_write *write, int error);
    /* The store's own. */
    uint64_t submitted_ns;
    unsigned in_flight; /* pages, with these, when it was submitted */
    struct io_request request;
};

/* Hand a write over; it is on its way when this returns. Never fails: errors go to done(). */
void store_submit(struct store_write *write);

/* Writes handed over whose done() has not been called. */
unsigned store_writes_in_flight(void);

/* What writing a page takes lately where many wait for it, in ns; 0: it is not known. */
uint32_t store_write_ns(void);

/*
 * Work for the swap thread, or for the caller when there is none. fork waits for it as for a write:
 * run() may submit writes that say so (`within`), but not read, and wait for nothing. The memory is
 * the store's until run() is called.
 */
struct store_task {
    void (*run)(struct store_task *task);
    struct io_request request;
};
void store_run(struct store_task *task);

/* "/path offset N" for messages; returns buffer. */
const char *store_describe(slot_t slot, char *buffer, size_t size);

/*
 * Count what the memory promised to the program may need, in bytes: of this process, and of all
 * that share the stores. Those of a process that ended count until it is found out.
 */
void store_promise(int64_t bytes);
uint64_t store_promised(void);
uint64_t store_promised_by_all(void);

/* Find out which processes have ended, and give back what they held and promised. Done by itself
 * before a slot is refused, and now and then with a fork; costs a system call for each process. */
void store_reap(void);

/*
 * fork, one at a time. admit: the child becomes one of those who share the stores, and has promised
 * what this process has; -EAGAIN: there are too many. prepare: hold new IO back and wait until none
 * is in flight; the child holds every slot that this process holds. parent: go on. child: go on
 * with the same files and shared slot metadata, without swap thread (it is started again when
 * needed). dismiss: there will be no child: after admit instead of the rest, or after parent when
 * the fork failed.
 */
int store_fork_admit(void) must_check;
void store_fork_dismiss(void);
void store_fork_prepare(void);
void store_fork_parent(void);
void store_fork_child(void);

#endif
