/* SPDX-License-Identifier: MIT */
/*
 * The thread that touched a missing page gets SIGBUS and resolves the fault itself, here, with all
 * signals blocked. It holds no library lock: code that does never touches the window (debug builds
 * check). What cannot be resolved:
 *
 *   a page of the window that is not mapped   is made inaccessible: the access, repeated, is the
 *                                             SIGSEGV that the program would have had without us
 *   an object whose content is lost           SIGBUS to the program
 *   an address outside the window, or in a    SIGBUS to the program, if it is in no shared region
 *   file that the program mapped into it
 */
#include "arena/fault.h"

#include "arena/clean.h"
#include "arena/fill.h"
#include "arena/gate.h"
#include "arena/guest.h"
#include "arena/pack.h"
#include "arena/region.h"
#include "arena/serve.h"
#include "arena/share.h"
#include "arena/sigstack.h"
#include "arena/stream.h"
#include "arena/supply.h"
#include "arena/traits.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/fmt.h"
#include "base/lock.h"
#include "base/msg.h"
#include "base/sigaction.h"
#include "base/sigblock.h"
#include "base/sys.h"
#include "mask/mask.h"
#include "object/budget.h"
#include "observe/parts.h"
#include "observe/trace.h"

#include <errno.h>
#include <string.h>

/* Fresh memory that one fault brings in at most, in pages. */
#define FRESH_AHEAD_MAX 16

/* A stream that brings in so many pages is sure enough to read as many more before they are
 * touched. */
#define EARLY_FROM 8

/* A fault so near to the stack pointer is on the stack, on which the kernel may write the frame of
 * a signal at any time: it counts as a write. */
#define STACK_NEAR (64 * KIB)

/* What is touched, and how. */
struct access {
    object_t page;
    bool write;
    const ucontext_t *context; /* NULL: no signal, a call needs it */
    void *address;             /* of a signal */
};

/* The program's action for SIGBUS, under a sequence count: odd while it is written. */
static struct {
    _Atomic uint32_t sequence;
    struct sigaction action;
} program;

void fault_get_program_action(int signo, struct sigaction *action)
{
    uint32_t before;

    (void)signo;
    do {
        before = atomic_load(&program.sequence);
        *action = program.action;
    } while (before % 2 || atomic_load(&program.sequence) != before);
}

void fault_set_program_action(int signo, const struct sigaction *action)
{
    (void)signo;
    atomic_fetch_add(&program.sequence, 1);
    program.action = *action;
    atomic_fetch_add(&program.sequence, 1);
}

/* What the fault that this thread resolves turned out to be. */
static __thread enum {
    COST_FRESH,
    COST_OTHER, /* another thread has resolved it */
    COST_PROTECTED,
    COST_MASKED,
    COST_ZEROS, /* a page of zeros that had left: nothing was read */
    COST_PACKED,
    COST_READ,
} cost;

/* ---- Resolving ---- */

/* A stream that goes on has used what was read ahead for it, but for the object that was touched.
 */
static void count_passed(object_t page)
{
    uint32_t count = stream_passed() / object_pages(page);

    if (count > 1)
        stats_add(STAT_READ_AHEAD_HITS, count - 1);
}

/* Nothing from first to end would have to be read. */
static bool is_here(object_t first, object_t end)
{
    for (object_t object = first; object < end; object = object_of(object) + object_pages(object))
        if (object_state_of(object_load(object_of(object))) == OBJECT_EVICTED)
            return false;
    return true;
}

static struct stream_around look_around(void)
{
    return (struct stream_around){is_here, stats_swapped_pages()};
}

/* How many pages to bring in from here on. */
static uint32_t ahead(const struct region *region, object_t page, uint32_t most)
{
    uint32_t limit = (uint32_t)min_u64(most, supply_ahead_limit());
    struct stream_around around = look_around();

    switch (atomic_load_explicit(&region->advice, memory_order_relaxed)) {
    case REGION_RANDOM:
        return 1;
    case REGION_SEQUENTIAL:
        return limit;
    default:
        limit = stream_next(page, limit, &around);
        count_passed(page);
        return limit;
    }
}

/* How many pages below this one to bring in, for a thread that goes down. */
static uint32_t below(const struct region *region, object_t page, uint32_t most)
{
    uint32_t limit = (uint32_t)min_u64(most, supply_ahead_limit());
    struct stream_around around = look_around();

    if (atomic_load_explicit(&region->advice, memory_order_relaxed) == REGION_RANDOM)
        return 0;
    return (uint32_t)max_u64(stream_down(page, limit, &around), 1) - 1;
}

/*
 * A thread that goes down through fresh memory, as one does that fills a table from its end: where
 * to begin for a fault on this page. Only while memory is plenty. All from there on is fresh,
 * unless another thread changes it now; then the fault is looked at again.
 */
static object_t begin_below(const struct region *region, object_t page)
{
    bool plenty = supply_free_pages() > 2 * supply_ahead_limit();
    uint32_t down = plenty ? below(region, page, FRESH_AHEAD_MAX) : 0;
    object_t lowest = (object_t)max_u64(region->first, page - down);

    while (page > lowest && region_maps(page - 1) && traits_of(page - 1) == traits_of(page) &&
           object_state_of(object_load(page - 1)) == OBJECT_EMPTY)
        page--;
    return page;
}

static int fill_down(object_t first, object_t page)
{
    uint64_t word = object_load(first);
    uint32_t filled;
    int error;

    if (object_state_of(word) != OBJECT_EMPTY || !object_claim(first, word))
        return 0;
    error = fill_zero(first, page + 1 - first, &filled);
    if (!error && filled == page + 1 - first)
        stream_extend_down(first, filled);
    stats_add(STAT_FAULTS_MINOR, 1);
    return error;
}

static int resolve_empty(const struct region *region, object_t page, uint64_t word)
{
    object_t object = object_of(page);
    object_t first = object_pages(object) == 1 ? begin_below(region, page) : page;
    uint32_t filled;
    int error;

    cost = COST_FRESH;
    if (first < page)
        return fill_down(first, page);
    if (!object_claim(object, word))
        return 0;
    parts_end(PART_LOOKUP);
    error = fill_zero(object, ahead(region, object, FRESH_AHEAD_MAX), &filled);
    if (!error)
        stream_extend(object, filled, 1); /* nothing was read ahead */
    stats_add(STAT_FAULTS_MINOR, 1);
    return error;
}

static uintptr_t address_of(const struct access *access)
{
    return (uintptr_t)(access->address ? access->address : page_address(access->page));
}

/* What to read with an evicted object: where a stream or a stride goes on. */
static struct fill_wish wish_for(const struct region *region, const struct access *access,
                                 object_t object)
{
    bool may_stride = object_pages(object) == 1 &&
                      atomic_load_explicit(&region->advice, memory_order_relaxed) == REGION_NORMAL;
    struct fill_wish wish = {
        .pages = object_pages(object), .write = access->write, .address = address_of(access)};

    if (may_stride)
        wish.stride = stride_next(wish.address, supply_ahead_limit());
    if (wish.stride.passed > 1)
        stats_add(STAT_READ_AHEAD_HITS, wish.stride.passed - 1);
    if (wish.stride.count > 1)
        return wish;
    wish.below = below(region, object, STREAM_AHEAD_MAX);
    if (!wish.below)
        wish.pages = ahead(region, object, STREAM_AHEAD_MAX);
    wish.next = (uint32_t)max_u64(wish.pages, wish.below);
    if (wish.next < EARLY_FROM)
        wish.next = 0;
    if (may_stride && !wish.below && wish.pages == 1)
        wish.stride = stride_begin(wish.address, supply_ahead_limit());
    return wish;
}

/* Streams and strides hear what came in. */
static void tell(object_t object, const struct fill_wish *wish, const struct filled *filled)
{
    uint32_t read = filled->source == TRACE_FAULT_FRESH ? 1 : filled->pages;
    bool down = wish->stride.step < 0;

    if (wish->below)
        stream_extend_down(filled->first, object + object_pages(object) - filled->first);
    else if (wish->stride.count <= 1)
        stream_extend(object, filled->end - object, read);
    else
        stream_extend(object, 1, 1);
    if (wish->stride.count > 1)
        stride_extend(wish->address,
                      (uintptr_t)page_address(down ? filled->first : filled->end - 1), read);
}

static void count_came(object_t object, const struct filled *filled)
{
    if (filled->source == TRACE_FAULT_FRESH) {
        cost = COST_ZEROS;
        stats_add(STAT_FAULTS_MINOR, 1);
        return;
    }
    if (filled->source == TRACE_FAULT_PACKED) {
        cost = COST_PACKED;
        stats_add(STAT_FAULTS_PACKED, 1);
    }
    stats_add(STAT_FAULTS_MAJOR, 1);
    region_count_read(object);
}

static int resolve_evicted(const struct region *region, const struct access *access, uint64_t word)
{
    object_t object = object_of(access->page);
    struct fill_wish wish;
    struct filled filled;
    int error;

    if (!object_claim(object, word))
        return 0;
    parts_end(PART_LOOKUP);
    cost = COST_READ;
    wish = wish_for(region, access, object);
    error = fill_read(object, word, &wish, &filled);
    if (error) {
        stats_add(STAT_FAULTS_MAJOR, 1);
    } else {
        tell(object, &wish, &filled);
        count_came(object, &filled);
    }
    return error;
}

static int resolve_masked(object_t object, uint64_t word)
{
    if (!object_claim(object, word))
        return 0;
    parts_end(PART_LOOKUP);
    cost = COST_MASKED;
    stats_add(STAT_FAULTS_MINOR, 1);
    return fill_unmask(object, word);
}

/*
 * A fault on a resident object: the page is protected and to be written to, another thread has just
 * resolved it, or the page was dropped behind our back by madvise().
 */
static int resolve_resident(const struct access *access, uint64_t word)
{
    object_t object = object_of(access->page);
    bool present = mask_present(page_address(access->page));

    if ((present && !access->write) || !object_claim_pinned(object, word))
        return 0;
    stats_add(STAT_FAULTS_MINOR, 1);
    cost = present ? COST_PROTECTED : COST_FRESH;
    return present ? clean_write(object, word) : fill_again(object, word, access->page);
}

/* One attempt: 0 when the state was changed by us or by somebody else; the caller looks again. */
static int resolve_once(const struct region *region, const struct access *access, uint64_t word)
{
    object_t object = object_of(access->page);

    switch (object_state_of(word)) {
    case OBJECT_EMPTY:
        return resolve_empty(region, access->page, word);
    case OBJECT_EVICTED:
        return resolve_evicted(region, access, word);
    case OBJECT_MASKED:
        return resolve_masked(object, word);
    case OBJECT_POISONED:
        return -EIO;
    default:
        object_wait(object, word);
        return 0;
    }
}

static int resolve(const struct access *access)
{
    int error = 0;

    while (!error) {
        const struct region *region = region_of(access->page);
        uint64_t word = object_load(object_of(access->page));
        if (!region_maps(access->page))
            return -EFAULT;
        if (object_state_of(word) == OBJECT_RESIDENT)
            return 0;
        error = resolve_once(region, access, word);
    }
    return error == -EBADMSG ? -EIO : error;
}

/* ---- Counting ---- */

/* What fresh memory takes it would have taken without us, too; but not what it waited for. */
static void count_fault(uint64_t start)
{
    uint64_t ns = clock_now_ns() - start;
    uint64_t waited = supply_take_spent();

    stats_time(cost >= COST_PACKED ? HISTOGRAM_MAJOR : HISTOGRAM_MINOR, ns);
    if (cost >= COST_PACKED)
        pack_note_time(cost == COST_PACKED, ns);
    if (cost >= COST_MASKED || waited)
        stats_add(STAT_SWAP_NS, cost >= COST_MASKED ? ns : waited);
}

static void trace_resolved(const struct access *access, uint64_t start)
{
    static const uint8_t kinds[] = {
        [COST_FRESH] = TRACE_FAULT_FRESH,         [COST_OTHER] = TRACE_FAULT_OTHER,
        [COST_MASKED] = TRACE_FAULT_MASKED,       [COST_READ] = TRACE_FAULT_READ,
        [COST_PROTECTED] = TRACE_FAULT_PROTECTED, [COST_PACKED] = TRACE_FAULT_PACKED,
        [COST_ZEROS] = TRACE_FAULT_FRESH,
    };

    trace_fault(kinds[cost], access->page, access->write, start, access->context);
}

/* Room was made when the fault was resolved. */
static void count_refill(void)
{
    uint64_t spent = supply_take_spent();

    if (spent)
        stats_add(STAT_SWAP_NS, spent);
}

/* As for a write: nothing is known of what is going to be done. */
int fault_resolve(object_t page)
{
    const struct access access = {page, .write = true};
    uint64_t start;
    int error;

    if (region_of(page) && object_state_of(object_load(object_of(page))) == OBJECT_RESIDENT)
        return resolve(&access);
    start = clock_now_ns();
    cost = COST_OTHER;
    error = resolve(&access);
    trace_resolved(&access, start);
    count_fault(start);
    return error;
}

/* The kernel may write to what is pinned. */
static int add_pin(object_t object, uint64_t word, bool *added)
{
    *added = false;
    if (object_state_of(word) != OBJECT_RESIDENT)
        return 0;
    if (object_is_clean(word))
        return object_claim_pinned(object, word) ? clean_write(object, word) : 0;
    *added = object_add_pin(object, word);
    return 0;
}

int fault_resolve_pinned(object_t page)
{
    object_t object = object_of(page);
    bool pinned = false;
    int error;

    do {
        uint64_t word;
        error = fault_resolve(page);
        word = object_load(object);
        if (!error)
            error = add_pin(object, word, &pinned);
        if (!error && !pinned && (word & OBJECT_PIN_MASK) == OBJECT_PIN_MASK)
            error = -ENOMEM;
    } while (!error && !pinned);
    return error;
}

/* ---- Arriving ---- */

/* What was masked comes back without a page more. In a pool of processes that is no reason to have
 * others give way, or own objects leave: one that uses all it has would lose it by that. */
static bool took_memory(void)
{
    return cost != COST_MASKED || !budget_is_shared();
}

/*
 * Where nothing is mapped the program gets the signal that it would have got without us; the kernel
 * lets a process send itself any code. It is taken at the access, when the handler returns, on the
 * stack that the program asked for. False: it would be dropped, or wait while the access is
 * repeated for ever.
 */
static bool send_segv(const struct access *access)
{
    siginfo_t info = {.si_signo = SIGSEGV, .si_code = SEGV_MAPERR};
    struct sigaction action;
    uint64_t blocked = 0;

    memcpy(&blocked, &access->context->uc_sigmask, sizeof(blocked));
    if (blocked & sigblock_bit(SIGSEGV) || sigaction_raw(SIGSEGV, NULL, &action) ||
        action.sa_handler == SIG_IGN)
        return false;
    info.si_addr = access->address;
    return sys_call(SYS_rt_tgsigqueueinfo, sys_call(SYS_getpid), sys_call(SYS_gettid), SIGSEGV,
                    &info) == 0;
}

static int handle(const struct access *access)
{
    object_t page = access->page;
    uint64_t start = clock_now_ns(), word;
    int error = 0;

    parts_begin(start);
    cost = COST_OTHER;
    gate_enter();
    word = object_load(object_of(page));
    if (region_maps(page) && object_state_of(word) == OBJECT_RESIDENT)
        error = resolve_resident(access, word);
    else
        error = resolve(access);
    parts_end(PART_WAKE);
    trace_resolved(access, start);
    count_fault(start);
    if (!error && took_memory())
        supply_refill();
    else if (error == -EFAULT && !region_maps(page) && !send_segv(access))
        region_forbid(page); /* the access itself ends the program then */
    count_refill();
    trace_flush();
    serve_look(start);
    parts_end(PART_EVICT);
    parts_stop();
    gate_leave();
    return error;
}

/* The signal was sent, or the access is repeated when the handler returns: either way the default
 * action ends the program as it would have without us. */
static void act_by_default(int signo, const siginfo_t *info)
{
    struct sigaction by_default = {.sa_handler = SIG_DFL};

    if (sigaction_raw(signo, &by_default, NULL) == 0 && info->si_code <= 0)
        sys_call(SYS_rt_tgsigqueueinfo, sys_call(SYS_getpid), sys_call(SYS_gettid), signo, info);
}

static void call_program(int signo, siginfo_t *info, void *interrupted)
{
    ucontext_t *context = interrupted;
    struct sigaction action;
    uint64_t mask = 0, added = 0;

    fault_get_program_action(signo, &action);
    memcpy(&mask, &context->uc_sigmask, sizeof(mask));
    memcpy(&added, &action.sa_mask, sizeof(added));
    mask |= added;
    if (!(action.sa_flags & SA_NODEFER))
        mask |= sigblock_bit(signo);
    /* The handler may touch the window. */
    mask &= ~(sigblock_bit(SIGBUS) | sigblock_bit(SIGSYS));
    sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
    if (action.sa_flags & SA_RESETHAND)
        fault_set_program_action(signo, &(struct sigaction){.sa_handler = SIG_DFL});
    action.sa_sigaction(signo, info, context);
}

static void pass_on(int signo, siginfo_t *info, ucontext_t *context)
{
    struct sigaction action;

    sigstack_settle(context);
    fault_get_program_action(signo, &action);
    if (action.sa_handler == SIG_IGN && info->si_code <= 0)
        return;
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)
        act_by_default(signo, info);
    else
        sigstack_run(action.sa_flags, signo, info, context, call_program);
}

/* An object that cannot be read has been reported when it was poisoned. */
static void report_failure(const void *address, int error)
{
    char name[8];

    if (error != -EIO)
        msg_error("the fault at %p cannot be resolved: %s", address, fmt_errno(error, name));
}

static bool may_be_written(const void *address, const ucontext_t *context)
{
    uintptr_t distance = (uintptr_t)address - (context_stack_pointer(context) - STACK_NEAR);

    return context_is_write(context) || distance < 2 * STACK_NEAR;
}

/* A signal, and what became of it. */
struct arrival {
    const siginfo_t *info;
    const ucontext_t *context;
    bool ours;
    int error;
};

static void resolve_fault(void *arrived)
{
    struct arrival *arrival = arrived;
    const siginfo_t *info = arrival->info;
    struct access access;
    bool inside = window_contains(info->si_addr);

    if (info->si_code <= 0 || (inside && traits_of(page_of(info->si_addr)) & TRAIT_FOREIGN))
        return;
    if (lock_any_held())
        __builtin_trap();
    if (!inside) {
        arrival->ours = share_handle(info->si_addr, &arrival->error);
        return;
    }
    arrival->ours = true;
    access =
        (struct access){page_of(info->si_addr), may_be_written(info->si_addr, arrival->context),
                        arrival->context, info->si_addr};
    arrival->error = handle(&access);
}

static void on_sigbus(int signo, siginfo_t *info, void *context)
{
    struct arrival arrival = {info, context, false, 0};

    if (guest_resolve(info, context))
        return;
    sigstack_call(context, resolve_fault, &arrival);
    sigstack_give(context);
    if (!arrival.ours) {
        pass_on(signo, info, context);
        return;
    }
    if (!arrival.error || arrival.error == -EFAULT) /* the access is repeated */
        return;
    report_failure(info->si_addr, arrival.error);
    pass_on(signo, info, context);
}

int fault_start(void)
{
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | sigstack_flag()};

    /* Not sigfillset(): that leaves out libc's own signals, and a thread must not be cancelled
     * here. */
    memset(&action.sa_mask, 0xff, sizeof(action.sa_mask));
    return sigaction_raw(SIGBUS, &action, &program.action);
}
