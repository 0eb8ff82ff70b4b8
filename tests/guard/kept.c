/* SPDX-License-Identifier: MIT */
/*
 * Addresses that the kernel keeps, and uses when a thread is interrupted or ends, long after the
 * call: in memory that is pushed out in between. libc has no functions for these calls, and calls
 * them itself for each thread: what a thread gives here takes the place of libc's.
 *
 * And unshare(), after which a thread has descriptors of its own: memory still comes back.
 */
#include "cold.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/rseq.h>
#include <sys/wait.h>

static enum way way_now;

static long call(long number, const void *address, long a, long b, long c)
{
    return way_now == BY_SYSCALL ? syscall(number, address, a, b, c)
                                 : by_instruction(number, address, a, b, c);
}

/* Nobody joins it: libc does not learn that it has ended when its word is not cleared. */
static void start(void *(*run)(void *), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, argument) || pthread_detach(thread))
        exit(1);
}

/* ---- The word that is cleared when a thread ends ---- */

static void *end_with_word(void *word)
{
    if (call(SYS_set_tid_address, word, 0, 0, 0) != gettid())
        exit(1);
    push_out();
    return NULL;
}

static void word_of_a_thread(enum way way)
{
    volatile int *word = cold(sizeof(*word));

    if (way == BY_NAME)
        return;
    way_now = way;
    *word = 77;
    chill();
    start(end_with_word, (void *)(uintptr_t)word);
    for (int looks = 0; *word && looks < 1000; looks++)
        usleep(1000);
    say("cleared", *word, "", 0);
    keep_cold();
}

/* ---- The list of locks that a thread holds when it ends ---- */

struct held {
    struct robust_list_head head;
    struct robust_list node;
    uint32_t futex;
};

static void *end_with_lock(void *given)
{
    struct held *held = given;

    held->futex = (uint32_t)gettid();
    held->node.next = &held->head.list;
    held->head.list.next = &held->node;
    held->head.futex_offset = offsetof(struct held, futex) - offsetof(struct held, node);
    push_out();
    if (call(SYS_set_robust_list, held, sizeof(held->head), 0, 0))
        exit(1);
    push_out();
    return NULL;
}

static void locks_of_a_thread(enum way way)
{
    struct held *held = cold(sizeof(*held));
    volatile uint32_t *futex = &held->futex;

    if (way == BY_NAME)
        return;
    way_now = way;
    start(end_with_lock, held);
    for (int looks = 0; !(*futex & FUTEX_OWNER_DIED) && looks < 1000; looks++)
        usleep(1000);
    say("owner died", (*futex & FUTEX_OWNER_DIED) != 0, "", 0);
    say("wrong size", call(SYS_set_robust_list, held, 7, 0, 0), "", 0);
    keep_cold();
}

/* ---- What the kernel says of the CPU ---- */

static struct rseq *libcs_rseq(void)
{
    return (void *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* Pushed out and interrupted again and again. */
static void *be_interrupted(void *given)
{
    volatile struct rseq *mine = given;
    unsigned known = 0;

    if (call(SYS_rseq, libcs_rseq(), sizeof(*mine), 1, RSEQ_SIG) ||
        call(SYS_rseq, given, sizeof(*mine), 0, RSEQ_SIG))
        exit(1);
    for (int i = 0; i < 20; i++) {
        push_out();
        usleep(1000);
        known += mine->cpu_id < 1 << 16;
    }
    say("the CPU is known", known, "", 0);
    say("ends", call(SYS_rseq, given, sizeof(*mine), 1, RSEQ_SIG), "", 0);
    say("ends once", call(SYS_rseq, given, sizeof(*mine), 1, RSEQ_SIG), "", 0);
    return NULL;
}

static void cpu_of_a_thread(enum way way)
{
    char *memory = cold(2 * PAGE);
    struct rseq *mine = (void *)(memory + 8 + 32); /* cold() begins 8 bytes before a page */
    pthread_t thread;

    if (way == BY_NAME || !__rseq_size)
        return;
    way_now = way;
    mine->cpu_id = (uint32_t)RSEQ_CPU_ID_UNINITIALIZED;
    chill();
    if (pthread_create(&thread, NULL, be_interrupted, mine) || pthread_join(thread, NULL))
        exit(1);
}

/* ---- unshare() ---- */

static long call_unshare(int flags)
{
    return way_now == BY_NAME      ? unshare(flags)
           : way_now == BY_SYSCALL ? syscall(SYS_unshare, flags)
                                   : by_instruction(SYS_unshare, flags);
}

static void *have_own_descriptors(void *memory)
{
    char *bytes = memory;

    push_out();
    say("unshare", call_unshare(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM), bytes, 3 * PAGE);
    push_out();
    int fd = open("/dev/zero", O_RDONLY);
    say("read", read(fd, bytes + PAGE / 2, PAGE), bytes, 3 * PAGE);
    bytes[0] = 'x';
    push_out();
    return NULL;
}

static void in_a_thread(enum way way)
{
    char *bytes = cold(3 * PAGE);
    pthread_t thread;

    way_now = way;
    memset(bytes, 'b', 3 * PAGE);
    if (pthread_create(&thread, NULL, have_own_descriptors, bytes) || pthread_join(thread, NULL))
        exit(1);
    say("the other thread", 0, bytes, 3 * PAGE);
}

/* The children are in another pid namespace: 1 is the first of them. Whoever may not, says so. */
static void in_a_pid_namespace(enum way way)
{
    char *bytes = cold(3 * PAGE);
    int status = 0;

    way_now = way;
    memset(bytes, 'n', 3 * PAGE);
    pid_t child = fork();
    if (child == 0) {
        say("unshare", call_unshare(CLONE_NEWPID), "", 0);
        for (int i = 0; i < 2; i++) {
            push_out();
            pid_t grandchild = fork();
            if (grandchild == 0) {
                push_out();
                bytes[i]++;
                say("in the namespace", i, bytes, 3 * PAGE);
                push_out();
                say("again", i, bytes, 3 * PAGE);
                _exit(i);
            }
            waitpid(grandchild, &status, 0);
            /* When the first process of a namespace has ended there is no other. */
            say("fork", grandchild > 0, "", 0);
            say("ended", status, bytes, 3 * PAGE);
        }
        _exit(0);
    }
    waitpid(child, &status, 0);
    say("ended", status, bytes, 3 * PAGE);
}

int main(void)
{
    static const struct cold_case cases[] = {
        {"word of a thread", word_of_a_thread}, {"locks of a thread", locks_of_a_thread},
        {"CPU of a thread", cpu_of_a_thread},   {"descriptors of a thread", in_a_thread},
        {"pid namespace", in_a_pid_namespace},
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
