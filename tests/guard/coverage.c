/* SPDX-License-Identifier: MIT */
/*
 * Every system call that the headers know is either in the guard's table or listed here with the
 * reason why it need not be. Prints the rows of docs/SYSCALLS.md. Standard input: the names that
 * the preload library exports, one a line.
 */
#include "heap/guard/guard_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/guard/guard_numbers.h"

struct name {
    const char *name;
    long number;
};

/* From the preprocessor, and those that the guard knows besides. */
static struct name names[] = {
#define CALL(name) {#name, __NR_##name},
#include "syscall_names.inc"
#undef CALL
#define CALL(name) {#name, SYS_##name},
    CALL(cachestat) CALL(fchmodat2) CALL(futex_wake) CALL(futex_wait) CALL(futex_requeue)
        CALL(statmount) CALL(listmount) CALL(lsm_get_self_attr) CALL(lsm_set_self_attr)
            CALL(lsm_list_modules) CALL(setxattrat) CALL(getxattrat) CALL(listxattrat)
                CALL(removexattrat) CALL(open_tree_attr) CALL(file_getattr) CALL(file_setattr)
#undef CALL
};

/* The calls that are not in the table, by reason; each list ends in a space. */
static const struct {
    const char *reason;
    const char *calls;
} others[] = {
    {"takes no pointer",
     " close lseek sched_yield dup dup2 pause alarm getpid socket shutdown listen exit kill semget "
     "msgget shmget flock fsync fdatasync ftruncate fchdir fchmod fchown umask getuid getgid "
     "setuid "
     "setgid geteuid getegid setpgid getppid getpgrp setsid setreuid setregid setresuid setresgid "
     "getpgid setfsuid setfsgid getsid personality getpriority setpriority sched_getscheduler "
     "sched_get_priority_max sched_get_priority_min vhangup sync reboot iopl ioperm gettid "
     "readahead tkill io_destroy epoll_create restart_syscall fadvise64 timer_getoverrun "
     "timer_delete exit_group tgkill ioprio_set ioprio_get inotify_init inotify_rm_watch "
     "tee sync_file_range timerfd_create eventfd fallocate eventfd2 epoll_create1 dup3 "
     "inotify_init1 fanotify_init syncfs kcmp userfaultfd membarrier pkey_alloc pkey_free "
     "fsmount pidfd_open close_range pidfd_getfd landlock_restrict_self memfd_secret "
     "process_mrelease "},
    {"takes no pointer; a new user namespace is only for processes with one thread, of which one "
     "that swaps has more (EINVAL)",
     " unshare setns "},
    {"takes an address and does not follow it",
     " mmap mlockall munlockall brk "
     "shmat "
     "shmdt remap_file_pages set_mempolicy_home_node map_shadow_stack mseal "
     ""},
    {"makes a process or a thread; what it writes to lies on the stack of the thread or in libc",
     " clone clone3 fork vfork "},
    {"keeps an address for later: libc's own lies outside the window or is pinned with the "
     "thread's stack, what a program gives by `syscall()` or an instruction is pinned from then on",
     " set_tid_address set_robust_list rseq "},
    {"returns from a signal handler", " rt_sigreturn "},
    {"does not exist any more",
     " _sysctl create_module get_kernel_syms query_module nfsservctl getpmsg putpmsg afs_syscall "
     "tuxcall security epoll_ctl_old epoll_wait_old vserver "},
    {"is the kernel's own, placed by it for probes", " uretprobe uprobe "},
};

/* Functions that are not called as their system call. */
static const char *const functions[][2] = {
    {"newfstatat", "fstatat"},
    {"sendto", "send"},
    {"recvfrom", "recv"},
    {"pread64", "pread"},
    {"pwrite64", "pwrite"},
    {"pselect6", "pselect"},
    {"rt_sigaction", "sigaction"},
    {"rt_sigprocmask", "sigprocmask"},
    {"rt_sigsuspend", "sigsuspend"},
    {"select", "select"},
};

static const char *const kinds[] = {
    [GUARD_VALUE] = "-",
    [GUARD_FIXED] = "structure",
    [GUARD_SIZED] = "buffer",
    [GUARD_BITS] = "bits",
    [GUARD_MEASURED] = "buffer",
    [GUARD_UP_TO] = "structure",
    [GUARD_STRING] = "string",
    [GUARD_STRINGS] = "strings",
    [GUARD_VECTOR] = "vector",
    [GUARD_MESSAGE] = "message",
    [GUARD_MESSAGES] = "messages",
    [GUARD_IOCTL] = "by request",
    [GUARD_MASK] = "mask",
    [GUARD_PROGRAM] = "program",
    [GUARD_REQUESTS] = "requests",
    [GUARD_TEXT] = "text",
    [GUARD_WAITERS] = "waiters",
    [GUARD_PAIR] = "waiters",
    [GUARD_ATTRIBUTE] = "attribute",
    [GUARD_TRACE] = "by request",
    [GUARD_ADDRESS] = "address",
};

static char exported_names[1 << 16];

static void read_exported(void)
{
    size_t size = fread(exported_names + 1, 1, sizeof(exported_names) - 3, stdin);

    exported_names[0] = exported_names[size + 1] = '\n';
}

static bool is_exported(const char *function)
{
    char line[80];

    snprintf(line, sizeof(line), "\n%s\n", function);
    return strstr(exported_names, line);
}

static bool has_function(const char *call)
{
    for (size_t i = 0; i < array_size(functions); i++)
        if (strcmp(call, functions[i][0]) == 0)
            return is_exported(functions[i][1]);
    return is_exported(call);
}

static const char *reason_for(const char *call)
{
    char word[80];

    snprintf(word, sizeof(word), " %s ", call);
    for (size_t i = 0; i < array_size(others); i++)
        if (strstr(others[i].calls, word))
            return others[i].reason;
    return NULL;
}

static void print_row(const struct name *name, const struct guard_call *call)
{
    const char *separator = " ";
    unsigned last = 5;

    while (call->argument[last].kind == GUARD_VALUE)
        last--;
    printf("| %s |", name->name);
    for (unsigned i = 0; i <= last; i++, separator = ", ")
        printf("%s%s", separator, kinds[call->argument[i].kind]);
    printf(" | %s%s |\n", has_function(name->name) ? "function, " : "",
           call->is_indirect ? "filter, dispatch" : "filter");
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->name, ((const struct name *)b)->name);
}

int main(void)
{
    int unknown = 0;

    read_exported();
    qsort(names, array_size(names), sizeof(names[0]), compare);
    for (size_t i = 0; i < array_size(names); i++) {
        const struct guard_call *call = guard_table_find(names[i].number);
        const char *reason = reason_for(names[i].name);

        if (i > 0 && names[i].number == names[i - 1].number)
            continue;
        if (call && !reason)
            print_row(&names[i], call);
        else if (reason && !call)
            printf("| %s | | %s |\n", names[i].name, reason);
        else
            fprintf(stderr, "%s: %s\n", names[i].name,
                    call ? "in both lists" : "neither in guard_table.c nor in coverage.c"),
                unknown++;
    }
    return unknown > 0;
}
