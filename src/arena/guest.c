/* SPDX-License-Identifier: MIT */
#include "arena/guest.h"

#include "arena/arena.h"
#include "arena/inside.h"
#include "arena/pin.h"
#include "arena/region.h"
#include "arena/sigstack.h"
#include "arena/supply.h"
#include "arena/window.h"
#include "base/sys.h"
#include "base/thread.h"
#include "mask/mask.h"
#include "observe/status.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

/* This is a process that brings something in for a guest. */
static __thread bool serving;

bool guest_here(void)
{
    return unlikely(sys_call(SYS_getpid) != status_page.pid) && !serving;
}

/* ---- The process that brings in ---- */

static uintptr_t pack(object_t first, object_t last)
{
    return (uintptr_t)last << 32 | first;
}

/* A page that was dropped behind our back by madvise() belongs to an object that is resident. */
static void touch_missing(object_t first, object_t last)
{
    uint64_t open = sigblock_bit(SIGBUS);

    sys_call(SYS_rt_sigprocmask, SIG_UNBLOCK, &open, NULL, sizeof(open));
    for (uint64_t page = first; page <= last; page++)
        if (!mask_present(page_address((object_t)page)))
            (void)*(const volatile char *)page_address((object_t)page);
}

/* Pinned for a moment they lose their protection, too: nothing is known of what is going to be
 * done. */
static void bring(void *pages)
{
    object_t first = (object_t)(uintptr_t)pages, last = (object_t)((uintptr_t)pages >> 32);
    struct inside inside;
    int error;

    serving = true;
    inside = inside_enter();
    error = pin_pages(first, last);
    if (!error)
        arena_unpin(page_address(first), ((size_t)(last - first) + 1) * PAGE_SIZE);
    supply_refill();
    inside_leave(inside);
    if (!error)
        touch_missing(first, last);
    for (;;)
        sys_call(SYS_exit, error != 0);
}

/* ---- The guest ---- */

/* While too many are at it, for so many milliseconds: what the guest did itself it might be killed
 * at.
 */
#define PATIENCE 1000

int guest_bring(object_t first, object_t last)
{
    const struct timespec millisecond = {0, 1000000};
    int error = thread_run_apart(bring, (void *)pack(first, last));

    for (int i = 0; error == -EAGAIN && i < PATIENCE; i++) {
        sys_call(SYS_nanosleep, &millisecond, NULL);
        error = thread_run_apart(bring, (void *)pack(first, last));
    }
    return error;
}

struct want {
    object_t page;
    int error;
};

static void bring_wanted(void *wanted)
{
    struct want *want = wanted;

    want->error = guest_bring(want->page, want->page);
}

bool guest_resolve(const siginfo_t *info, const ucontext_t *context)
{
    struct want want = {.error = -EFAULT};

    if (info->si_code <= 0 || !window_contains(info->si_addr) || !guest_here())
        return false;
    want.page = page_of(info->si_addr);
    if (region_maps(want.page))
        sigstack_call(context, bring_wanted, &want);
    return !want.error;
}
