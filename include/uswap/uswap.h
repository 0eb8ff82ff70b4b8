/* SPDX-License-Identifier: MIT */
/*
 * uswap - memory larger than its RAM budget, from user space.
 *
 * A process has one window: a reserved range of addresses. uswap_map() makes a region in it. The
 * memory of a region arrives when it is touched; when the budget is full, the least useful objects
 * (runs of pages) leave for a store and come back when they are touched again.
 *
 * Conventions
 *   Sizes are bytes. Functions that return int give 0 or a negative errno value. Everything may be
 *   called from any thread at the same time. Nothing here is async-signal-safe, except that region
 *   memory may be read and written in a signal handler, as any memory may.
 *   A page is the hardware page (4096 bytes on x86-64).
 *
 * Limits of the engine alone (libuswap without the preload library)
 * - A system call on swapped-out memory fails with EFAULT, and so may one that writes to memory
 *   which has only been read since it came back. Pin it first, with uswap_pin().
 * - madvise() on region memory is not seen: what it drops may come back. Use uswap_advise().
 * - fork() works: the child has its own copy of all regions, promised in full. When that cannot be
 *   promised the child ends at once with code 127, after a message. clone() without libc does not.
 * - SIGBUS and SIGSEGV belong to the library: do not block them in a thread that touches regions. A
 *   handler that was installed before uswap_start() gets the faults that are not ours.
 */
#ifndef USWAP_USWAP_H
#define USWAP_USWAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define USWAP_VERSION_MAJOR 0
#define USWAP_VERSION_MINOR 1
#define USWAP_VERSION_PATCH 0

/* Stores that one process can have. */
#define USWAP_MAX_STORES 8

/* Where evicted objects may go. */
struct uswap_store_options {
    /* A directory (an unlinked file is made in it), a file (made if missing, unlinked when opened;
     * an existing one must be empty or all zero at its start) or a block device (must not hold
     * data). */
    const char *path;
    /* Capacity in bytes; 0: half of the free space of the file system, or the whole device. */
    uint64_t size;
};

/* Whether evicted content is kept compressed in a part of the budget before it goes to a store. How
 * large that part is follows what it gains; what does not shrink goes to the store. */
enum uswap_compress {
    USWAP_COMPRESS_AUTO, /* LZ4 at first, Zstandard for what is used again; from 32 MiB on */
    USWAP_COMPRESS_OFF,
    USWAP_COMPRESS_LZ4,  /* fast */
    USWAP_COMPRESS_ZSTD, /* smaller, and slower by half */
};

struct uswap_options {
    /* sizeof(struct uswap_options); uswap_options_init() sets it. */
    size_t struct_size;
    /* Bytes that may be resident: window, free frames and metadata together. 0: half of what the
     * machine or the enclosing cgroup leaves available. At least 8 MiB. */
    uint64_t ram;
    /* A pool that this process shares its budget with: the name of one of our own (made by uswap
     * pool create), or UID/NAME for another user's. ram is not looked at then. NULL: none. */
    const char *pool;
    /* Stores, in order of preference. stores_count 0: an unlinked file in $TMPDIR or /var/tmp. */
    struct uswap_store_options stores[USWAP_MAX_STORES];
    unsigned stores_count;
    /* Where statistics go at exit: a file (JSON), "-" (summary on stderr) or NULL (nowhere). */
    const char *stats_path;
    /* Where messages go: a file that they are appended to, or NULL (stderr). */
    const char *log_path;
    /* An enum uswap_level: messages up to this one are given out; at first USWAP_INFO. */
    int log_level;
    /* Where what happens to memory is recorded, for uswap report: a file that is written anew, or
     * NULL (nowhere). Children that are forked record in a file with a dot and their number behind
     * the name. */
    const char *trace_path;
    /* The preload library only: private anonymous mappings of at least so many bytes come from the
     * engine, too. 0, or UINT64_MAX: none do. */
    uint64_t mmap_threshold;
    /* An enum uswap_compress. */
    int compress;
};

/* Set every option to its default. */
void uswap_options_init(struct uswap_options *options);

/* As uswap_options_init(), then read USWAP_RAM, USWAP_POOL, USWAP_SWAP (PATH[:SIZE], separated by
 * commas), USWAP_COMPRESS, USWAP_STATS, USWAP_MMAP, USWAP_LOG_FILE, USWAP_LOG (error, warning, info
 * or debug) and USWAP_TRACE (FILE; the trace goes to FILE.PID, unless uswap run has started this
 * process). -EINVAL for a value that cannot be read; a message names it. The strings in *options
 * stay valid for the life of the process. */
int uswap_options_from_env(struct uswap_options *options);

/* Start the engine. options NULL: as from the environment. Once per process; -EALREADY later.
 * -EINVAL: an option is wrong; -ENOENT: there is no such pool; -EBADMSG: it is none, or damaged;
 * -EAGAIN: it has 1024 members already; -ETIMEDOUT: another process has been in the middle of
 * joining or removing it for a minute; -ENOSYS, -EPERM: the kernel lacks or forbids what is needed;
 * any other: what the system said. A message says which and what to do. */
int uswap_start(const struct uswap_options *options);

/* How a region is made. Zero bytes everywhere is a good default. */
struct uswap_map_options {
    /* The unit that is swapped: a power of two from 4096 to 2 MiB, at most an eighth of the budget;
     * 0: 4096. */
    size_t object_size;
    /* For messages and statistics; up to 31 bytes are kept. NULL: no name. */
    const char *name;
    /* Alignment of the address; a power of two, 0: 2 MiB. */
    size_t align;
    /* Bits of enum uswap_map_flags. */
    unsigned flags;
};

enum uswap_map_flags {
    /* Do not charge the region against budget plus stores. When both are full, touching it may
     * exceed the budget. */
    USWAP_MAP_OVERCOMMIT = 1,
};

/* Make a region of at least size bytes (rounded up to pages), filled with zeros. NULL options:
 * defaults. The address goes to *address. -ENOMEM: budget plus stores cannot hold it, or the window
 * has no room; -EINVAL: size 0 or wrong options. */
int uswap_map(size_t size, const struct uswap_map_options *options, void **address);

/* Give back [address, address + size), which may be any run of whole pages of one region; size is
 * rounded up to whole pages. Memory, slots and commitment return; a later touch is a SIGSEGV.
 * -EINVAL: address is not page-aligned, or not all of the range is mapped. */
int uswap_unmap(void *address, size_t size);

enum uswap_advice {
    USWAP_NORMAL,     /* forget USWAP_RANDOM and USWAP_SEQUENTIAL */
    USWAP_RANDOM,     /* no read-ahead in the region that holds the range */
    USWAP_SEQUENTIAL, /* full read-ahead in the region that holds the range */
    USWAP_WILL_NEED,  /* bring the range in now, as far as the budget allows */
    USWAP_COLD,       /* these objects leave first */
    USWAP_DONT_NEED,  /* the content of whole pages is dropped; they read as zero */
};

/* Advice on [address, address + size), which need not be whole pages, in one region. -EINVAL: the
 * range is not in a region. */
int uswap_advise(void *address, size_t size, enum uswap_advice advice);

/* Bring the range in and keep it resident until the same range is unpinned; pins add up. Memory
 * outside the window is left alone. -ENOMEM: more than half of the budget would be pinned;
 * -EFAULT: part of the range is in the window but in no region; -EIO: it cannot be read. */
int uswap_pin(const void *address, size_t size);

/* Undo one uswap_pin() of the same range. */
void uswap_unpin(const void *address, size_t size);

/* Change the budget of the running process; shrinking evicts before it returns. -EINVAL: less than
 * 8 MiB or than twice what is pinned; -ENOMEM: what is committed would no longer fit; -EBUSY: not
 * enough can leave memory (metadata, too, counts); -EPERM: it is that of a pool, see uswap pool
 * resize. On an error the budget is as before. */
int uswap_set_budget(uint64_t ram);

/* ---- Shared regions ----
 *
 * Memory with a name that several processes map. Its content is resident once for all of them, in
 * a budget of its own, and swapped once, to a store of its own. Atomics work in it as in any shared
 * memory. Mutexes and condition variables (process-shared) do where each process that uses them
 * has pinned them, for they wait in system calls. A region outlives its processes until it is
 * unlinked; a process that died by SIGKILL, at any point, leaves nothing behind that the others
 * cannot go on with.
 *
 * NAME is one of the user's own: letters, digits, dots, underscores and hyphens, at most 40.
 * Another user's is UID/NAME; the mode of the region decides who may attach it (reading and
 * writing).
 *
 * Limits: 8 regions attached in a process, 64 processes in a region. A region lies outside the
 * window: system calls on its memory fail with EFAULT, also under uswap run, unless it is pinned
 * (uswap_pin()); what all processes together have pinned is at most half of the region's budget.
 * What a process that is stopped has mapped cannot leave memory, and who touches an object that it
 * was just reading, dropping or mapping waits until it goes on or is killed. A child of fork() has
 * all regions at the same addresses; one of clone() without libc has none.
 *
 * Making, attaching, detaching and removing one region happen one at a time: a function below that
 * has waited a minute for another process, which is stopped perhaps, returns -ETIMEDOUT, and a
 * message says so. Who is killed in between is in nobody's way. */

struct uswap_shared_options {
    /* Bytes; rounded up to whole objects. 0 with persist: as the file says. */
    uint64_t size;
    /* Bytes that may be resident; at least 1 MiB and 16 objects. They are in /dev/shm, which must
     * have that much free. */
    uint64_t ram;
    /* The unit that is swapped: a power of two from 4096 to 2 MiB; 0: 16 KiB. */
    uint64_t object_size;
    /* A directory for the store, all of which is reserved when the region is made. NULL: $TMPDIR or
     * /var/tmp. Unlinking the region removes the store. */
    const char *swap;
    /* Instead: a file, by its absolute path, that keeps the content. It is made if missing; an
     * existing one brings size, object size and content. It is whole when the last process has
     * detached, or the region has been unlinked. NULL: none. */
    const char *persist;
    /* File mode of the region and its store; 0: 0600. */
    unsigned mode;
};

/* Make a region, of zeros. The engine need not have been started. -EEXIST: it is there; -EINVAL: an
 * option is wrong; -ENOSPC: no room for the store, or not so much in /dev/shm; -EBUSY: another
 * region is just being made of the file of persist; -EBADMSG: the file of persist is no store of a
 * region; -EUCLEAN: that was in use when the machine stopped. A message says which and what. */
int uswap_shared_create(const char *name, const struct uswap_shared_options *options);

enum uswap_shared_flags {
    USWAP_SHARED_READ_ONLY = 1, /* writing to it is a SIGSEGV */
};

/* Map a region. *address NULL: anywhere; else there, a multiple of the page size where nothing is.
 * It becomes where the region is, *size (NULL: unwanted) its size. -ENOENT, -EACCES; -EAGAIN: 64
 * processes have it; -EMFILE: this one has 8; -EEXIST: there is something at the address;
 * -EBADMSG: damaged, or of another version; -EUCLEAN: its removal was cut off; -ESTALE: its store
 * was replaced; -ENOSYS, -EPERM: the kernel (5.14 or later) lacks or forbids what is needed. */
int uswap_shared_attach(const char *name, unsigned flags, void **address, size_t *size);

/* Unmap a region that begins at address. Nothing of it may be in use. -EINVAL: none begins there;
 * -EIO and others: it is unmapped, but its store (persist) could not be made whole. */
int uswap_shared_detach(void *address);

/* Remove the name: nobody can attach it any more; those who have go on. With persist the file is
 * made whole and stays, and -EBUSY says that somebody has the region attached. */
int uswap_shared_unlink(const char *name);

struct uswap_stats {
    uint64_t ram_budget_bytes;      /* of a pool: of all its members together */
    uint64_t resident_bytes;        /* window, frames and metadata, now */
    uint64_t resident_peak_bytes;   /* the same, at most so far */
    uint64_t metadata_bytes;        /* part of resident_bytes */
    uint64_t pinned_bytes;          /* part of resident_bytes */
    uint64_t window_bytes;          /* bytes in regions */
    uint64_t committed_bytes;       /* bytes promised */
    uint64_t store_capacity_bytes;  /* all stores */
    uint64_t store_used_bytes;      /* slots in use */
    uint64_t faults_major;          /* brought back what had left memory */
    uint64_t faults_minor;          /* found in memory, or filled with zeros */
    uint64_t objects_evicted;       /* left memory */
    uint64_t objects_dropped_clean; /* of these: needed no write */
    uint64_t objects_read_ahead;    /* read before they were touched */
    uint64_t bytes_read;
    uint64_t bytes_written;
    uint64_t io_errors;
    uint64_t objects_poisoned; /* could not be read back */
    uint64_t fault_ns_p50;     /* time in the fault handler */
    uint64_t fault_ns_p99;
    uint64_t fault_ns_max;
    uint64_t elapsed_ns;           /* since the start, or the fork */
    uint64_t swap_ns;              /* what threads spent on swapping, added up */
    uint64_t ram_needed_bytes;     /* a budget with which nothing would have been swapped so far */
    uint64_t compressed_ram_bytes; /* part of resident_bytes: what compressed RAM takes */
    uint64_t compressed_bytes;     /* how much content is in there */
    uint64_t bytes_compressed;     /* put there instead of being written */
    uint64_t bytes_decompressed;   /* taken from there instead of being read */
    uint64_t faults_compressed;    /* of faults_major: from there alone, no store was read */
};

/* Copy the statistics; size is sizeof(struct uswap_stats) as the caller was compiled. */
int uswap_get_stats(struct uswap_stats *stats, size_t size);

/* Write the statistics: JSON to a file, or a summary on stderr for "-". */
int uswap_write_stats(const char *path);

/* How grave a message is. */
enum uswap_level {
    USWAP_ERROR,   /* data is lost or the library cannot go on */
    USWAP_WARNING, /* it goes on, with less than asked for */
    USWAP_INFO,
    USWAP_DETAIL, /* what it does, for those who look for an error */
};

/* Receives each message: one line without newline. May be called from a fault handler: it must not
 * touch regions, allocate or lock. */
typedef void (*uswap_message_fn)(void *context, enum uswap_level level, const char *line);

/* Messages go to handler instead of stderr; NULL: stderr again. */
void uswap_set_message_handler(uswap_message_fn handler, void *context);

#ifdef __cplusplus
}
#endif
#endif
