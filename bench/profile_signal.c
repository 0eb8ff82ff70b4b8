/* SPDX-License-Identifier: MIT */
/*
 * What the delivery of a signal costs on this machine: one that is sent, one for a forbidden page,
 * one for a page that userfaultfd misses (what a fault of uswap begins with); and what blocking
 * signals costs, and waking another process instead.
 */
#include "profile.h"

#include "base/lock.h"
#include "base/sigblock.h"
#include "base/sys.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char *page;
static int uffd = -1;

struct shared {
    _Atomic uint32_t ping, pong;
};

static void do_nothing(int signo)
{
}

static void send_signal(void *unused)
{
    sys_call(SYS_tgkill, sys_call(SYS_getpid), sys_call(SYS_gettid), SIGUSR1);
}

static void block_and_unblock(void *unused)
{
    sigblock_leave(sigblock_enter());
}

static void on_forbidden(int signo, siginfo_t *info, void *context)
{
    mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE);
}

static void touch_forbidden(void *unused)
{
    mprotect(page, PAGE_SIZE, PROT_NONE);
    *(volatile char *)page = 1;
}

static void on_missing(int signo, siginfo_t *info, void *context)
{
    struct uffdio_zeropage zero = {.range = {(uintptr_t)page, PAGE_SIZE}};

    ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
}

static void touch_missing(void *unused)
{
    madvise(page, PAGE_SIZE, MADV_DONTNEED);
    (void)*(volatile char *)page;
}

static void drop_and_zero(void *unused)
{
    madvise(page, PAGE_SIZE, MADV_DONTNEED);
    on_missing(0, NULL, NULL);
}

static bool register_page(void)
{
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_SIGBUS};
    struct uffdio_register range = {{(uintptr_t)page, PAGE_SIZE}, UFFDIO_REGISTER_MODE_MISSING, 0};

    uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    return uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0 &&
           ioctl(uffd, UFFDIO_REGISTER, &range) == 0;
}

static void handle(int signo, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

    sigaction(signo, &action, NULL);
}

static void exchange(void *argument)
{
    struct shared *shared = argument;
    uint32_t seen = atomic_load(&shared->pong);

    atomic_fetch_add(&shared->ping, 1);
    futex_wake_all_shared(&shared->ping);
    while (atomic_load(&shared->pong) == seen)
        futex_wait_shared(&shared->pong, seen, 0);
}

static void answer(struct shared *shared)
{
    for (uint32_t seen = 0;; seen++) {
        while (atomic_load(&shared->ping) == seen)
            futex_wait_shared(&shared->ping, seen, 0);
        atomic_fetch_add(&shared->pong, 1);
        futex_wake_all_shared(&shared->pong);
    }
}

static void profile_exchange(void)
{
    struct shared *shared =
        mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = shared == MAP_FAILED ? -1 : fork();

    if (child < 0)
        return;
    if (child == 0)
        answer(shared);
    profile("wake another process by futex, and be woken", 20000, exchange, shared);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(void)
{
    page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return 1;
    signal(SIGUSR1, do_nothing);
    handle(SIGSEGV, on_forbidden);
    handle(SIGBUS, on_missing);
    profile("send a signal to this thread, and handle it", 100000, send_signal, NULL);
    profile("block all signals and unblock them", 100000, block_and_unblock, NULL);
    profile("forbid a page, touch it, SIGSEGV, allow it", 50000, touch_forbidden, NULL);
    if (register_page()) {
        profile("drop a page, and make it zero again by ioctl", 50000, drop_and_zero, NULL);
        profile("drop a page, touch it, SIGBUS, make it zero by ioctl", 50000, touch_missing, NULL);
    }
    profile_exchange();
    return 0;
}
