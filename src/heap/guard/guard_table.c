/* SPDX-License-Identifier: MIT */
/*
 * The table of system calls with pointers. What is not here takes none, or one that the kernel does
 * not follow while the call runs (set_robust_list, clone), or one that is only ever an address.
 * mmap() with an address is not here: a program that is exec'd under the filter and knows nothing
 * of uswap may ask for these addresses.
 *
 * Sizes are those of the kernel's structures, or a little more.
 */
#include "heap/guard/guard_table.h"

#include "heap/guard/guard_numbers.h"

/* clang-format off */
#define ARGS(...)        .argument = {__VA_ARGS__}
#define VALUE            {GUARD_VALUE, 0, 0}
#define ADDRESS          {GUARD_ADDRESS, 0, 0}
#define STRING           {GUARD_STRING, 0, 0}
#define STRINGS          {GUARD_STRINGS, 0, 0}
#define MESSAGE          {GUARD_MESSAGE, 0, 0}
#define MASK             {GUARD_MASK, 0, 0}
#define PROGRAM          {GUARD_PROGRAM, 0, 0}
#define FIXED(size)      {GUARD_FIXED, 0, size}
#define UP_TO(size)      {GUARD_UP_TO, 0, size}
#define SIZED(by, unit)  {GUARD_SIZED, by, unit}
#define BITS(by)         {GUARD_BITS, by, 0}
#define MEASURED(by)     {GUARD_MEASURED, by, 0}
#define VECTOR(by)       {GUARD_VECTOR, by, 0}
#define MESSAGES(by)     {GUARD_MESSAGES, by, 0}
#define IOCTL(by)        {GUARD_IOCTL, by, 0}
#define REQUESTS(by)     {GUARD_REQUESTS, by, 0}
#define TEXT(by)         {GUARD_TEXT, by, 0}
#define WAITERS(by)      {GUARD_WAITERS, by, 0}
#define PAIR             {GUARD_PAIR, 0, 0}
#define ATTRIBUTE        {GUARD_ATTRIBUTE, 0, 0}
#define TRACE(by)        {GUARD_TRACE, by, 0}
#define PARTS(how, offset) .parts = GUARD_##how, .has_offset = offset

static const struct guard_call calls[GUARD_CALLS] = {
    /* files by path */
    [SYS_openat] = {ARGS(VALUE, STRING)},
    [SYS_openat2] = {ARGS(VALUE, STRING, SIZED(3, 1))},
    [SYS_faccessat] = {ARGS(VALUE, STRING)},
    [SYS_faccessat2] = {ARGS(VALUE, STRING)},
    [SYS_newfstatat] = {ARGS(VALUE, STRING, FIXED(144))},
    [SYS_statx] = {ARGS(VALUE, STRING, VALUE, VALUE, FIXED(256))},
    [SYS_statfs] = {ARGS(STRING, FIXED(120))},
    [SYS_truncate] = {ARGS(STRING)},
    [SYS_chdir] = {ARGS(STRING)},
    [SYS_chroot] = {ARGS(STRING)},
    [SYS_mkdirat] = {ARGS(VALUE, STRING)},
    [SYS_mknodat] = {ARGS(VALUE, STRING)},
    [SYS_unlinkat] = {ARGS(VALUE, STRING)},
    [SYS_renameat] = {ARGS(VALUE, STRING, VALUE, STRING)},
    [SYS_renameat2] = {ARGS(VALUE, STRING, VALUE, STRING)},
    [SYS_linkat] = {ARGS(VALUE, STRING, VALUE, STRING)},
    [SYS_symlinkat] = {ARGS(STRING, VALUE, STRING)},
    [SYS_readlinkat] = {ARGS(VALUE, STRING, SIZED(3, 1))},
    [SYS_fchmodat] = {ARGS(VALUE, STRING)},
    [SYS_fchmodat2] = {ARGS(VALUE, STRING)},
    [SYS_fchownat] = {ARGS(VALUE, STRING)},
    [SYS_utimensat] = {ARGS(VALUE, STRING, FIXED(32))},
    [SYS_name_to_handle_at] = {ARGS(VALUE, STRING, UP_TO(136), FIXED(4))},
    [SYS_open_by_handle_at] = {ARGS(VALUE, UP_TO(136))},
    [SYS_inotify_add_watch] = {ARGS(VALUE, STRING)},
    [SYS_fanotify_mark] = {ARGS(VALUE, VALUE, VALUE, VALUE, STRING)},
    [SYS_memfd_create] = {ARGS(STRING)},
    [SYS_setxattr] = {ARGS(STRING, STRING, SIZED(3, 1))},
    [SYS_lsetxattr] = {ARGS(STRING, STRING, SIZED(3, 1))},
    [SYS_fsetxattr] = {ARGS(VALUE, STRING, SIZED(3, 1))},
    [SYS_getxattr] = {ARGS(STRING, STRING, SIZED(3, 1))},
    [SYS_lgetxattr] = {ARGS(STRING, STRING, SIZED(3, 1))},
    [SYS_fgetxattr] = {ARGS(VALUE, STRING, SIZED(3, 1))},
    [SYS_listxattr] = {ARGS(STRING, SIZED(2, 1))},
    [SYS_llistxattr] = {ARGS(STRING, SIZED(2, 1))},
    [SYS_flistxattr] = {ARGS(VALUE, SIZED(2, 1))},
    [SYS_removexattr] = {ARGS(STRING, STRING)},
    [SYS_lremovexattr] = {ARGS(STRING, STRING)},
    [SYS_fremovexattr] = {ARGS(VALUE, STRING)},
    [SYS_setxattrat] = {ARGS(VALUE, STRING, VALUE, STRING, ATTRIBUTE), .is_indirect = true},
    [SYS_getxattrat] = {ARGS(VALUE, STRING, VALUE, STRING, ATTRIBUTE), .is_indirect = true},
    [SYS_listxattrat] = {ARGS(VALUE, STRING, VALUE, SIZED(4, 1))},
    [SYS_removexattrat] = {ARGS(VALUE, STRING, VALUE, STRING)},
    [SYS_file_getattr] = {ARGS(VALUE, STRING, SIZED(3, 1))},
    [SYS_file_setattr] = {ARGS(VALUE, STRING, SIZED(3, 1))},
    [SYS_cachestat] = {ARGS(VALUE, FIXED(16), FIXED(40))},
    /* descriptors */
    [SYS_read] = {ARGS(VALUE, SIZED(2, 1)), PARTS(READ, false)},
    [SYS_write] = {ARGS(VALUE, SIZED(2, 1)), PARTS(WRITE, false)},
    [SYS_pread64] = {ARGS(VALUE, SIZED(2, 1)), PARTS(READ, true)},
    [SYS_pwrite64] = {ARGS(VALUE, SIZED(2, 1)), PARTS(WRITE, true)},
    [SYS_readv] = {ARGS(VALUE, VECTOR(2)), PARTS(READV, false), .is_indirect = true},
    [SYS_writev] = {ARGS(VALUE, VECTOR(2)), PARTS(WRITEV, false), .is_indirect = true},
    [SYS_preadv] = {ARGS(VALUE, VECTOR(2)), PARTS(READV, true), .is_indirect = true},
    [SYS_pwritev] = {ARGS(VALUE, VECTOR(2)), PARTS(WRITEV, true), .is_indirect = true},
    [SYS_preadv2] = {ARGS(VALUE, VECTOR(2)), PARTS(READV, true), .is_indirect = true},
    [SYS_pwritev2] = {ARGS(VALUE, VECTOR(2)), PARTS(WRITEV, true), .is_indirect = true},
    [SYS_vmsplice] = {ARGS(VALUE, VECTOR(2)), .is_indirect = true},
    [SYS_fstat] = {ARGS(VALUE, FIXED(144))},
    [SYS_fstatfs] = {ARGS(VALUE, FIXED(120))},
    [SYS_getdents64] = {ARGS(VALUE, SIZED(2, 1))},
    [SYS_fcntl] = {ARGS(VALUE, VALUE, UP_TO(32))},
    [SYS_ioctl] = {ARGS(VALUE, VALUE, IOCTL(1))},
    [SYS_pipe2] = {ARGS(FIXED(8))},
    [SYS_sendfile] = {ARGS(VALUE, VALUE, FIXED(8))},
    [SYS_copy_file_range] = {ARGS(VALUE, FIXED(8), VALUE, FIXED(8))},
    [SYS_splice] = {ARGS(VALUE, FIXED(8), VALUE, FIXED(8))},
    [SYS_ppoll] = {ARGS(SIZED(1, 8), VALUE, FIXED(16), FIXED(8))},
    [SYS_pselect6] = {ARGS(VALUE, BITS(0), BITS(0), BITS(0), FIXED(16), MASK), .is_indirect = true},
    [SYS_epoll_ctl] = {ARGS(VALUE, VALUE, VALUE, FIXED(12))},
    [SYS_epoll_pwait] = {ARGS(VALUE, SIZED(2, 12), VALUE, VALUE, FIXED(8))},
    [SYS_epoll_pwait2] = {ARGS(VALUE, SIZED(2, 12), VALUE, FIXED(16), FIXED(8))},
    [SYS_signalfd4] = {ARGS(VALUE, FIXED(8))},
    [SYS_timerfd_settime] = {ARGS(VALUE, VALUE, FIXED(32), FIXED(32))},
    [SYS_timerfd_gettime] = {ARGS(VALUE, FIXED(32))},
    /* sockets */
    [SYS_connect] = {ARGS(VALUE, SIZED(2, 1))},
    [SYS_bind] = {ARGS(VALUE, SIZED(2, 1))},
    [SYS_accept] = {ARGS(VALUE, MEASURED(2), FIXED(4))},
    [SYS_accept4] = {ARGS(VALUE, MEASURED(2), FIXED(4))},
    [SYS_getsockname] = {ARGS(VALUE, MEASURED(2), FIXED(4))},
    [SYS_getpeername] = {ARGS(VALUE, MEASURED(2), FIXED(4))},
    [SYS_socketpair] = {ARGS(VALUE, VALUE, VALUE, FIXED(8))},
    [SYS_setsockopt] = {ARGS(VALUE, VALUE, VALUE, SIZED(4, 1))},
    [SYS_getsockopt] = {ARGS(VALUE, VALUE, VALUE, MEASURED(4), FIXED(4))},
    [SYS_sendto] = {ARGS(VALUE, SIZED(2, 1), VALUE, VALUE, SIZED(5, 1)), PARTS(WRITE, false)},
    [SYS_recvfrom] = {ARGS(VALUE, SIZED(2, 1), VALUE, VALUE, MEASURED(5), FIXED(4)), PARTS(READ, false)},
    [SYS_sendmsg] = {ARGS(VALUE, MESSAGE), .is_indirect = true},
    [SYS_recvmsg] = {ARGS(VALUE, MESSAGE), .is_indirect = true},
    [SYS_sendmmsg] = {ARGS(VALUE, MESSAGES(2)), .is_indirect = true},
    [SYS_recvmmsg] = {ARGS(VALUE, MESSAGES(2), VALUE, VALUE, FIXED(16)), .is_indirect = true},
    /* processes and programs */
    [SYS_execve] = {ARGS(STRING, STRINGS, STRINGS), .is_indirect = true},
    [SYS_execveat] = {ARGS(VALUE, STRING, STRINGS, STRINGS), .is_indirect = true},
    [SYS_wait4] = {ARGS(VALUE, FIXED(4), VALUE, FIXED(144))},
    [SYS_waitid] = {ARGS(VALUE, VALUE, FIXED(128), VALUE, FIXED(144))},
    [SYS_getrusage] = {ARGS(VALUE, FIXED(144))},
    [SYS_getrlimit] = {ARGS(VALUE, FIXED(16))},
    [SYS_setrlimit] = {ARGS(VALUE, FIXED(16))},
    [SYS_prlimit64] = {ARGS(VALUE, VALUE, FIXED(16), FIXED(16))},
    [SYS_getgroups] = {ARGS(VALUE, SIZED(0, 4))},
    [SYS_setgroups] = {ARGS(VALUE, SIZED(0, 4))},
    [SYS_getresuid] = {ARGS(FIXED(4), FIXED(4), FIXED(4))},
    [SYS_getresgid] = {ARGS(FIXED(4), FIXED(4), FIXED(4))},
    [SYS_capget] = {ARGS(FIXED(8), FIXED(24))},
    [SYS_capset] = {ARGS(FIXED(8), FIXED(24))},
    [SYS_prctl] = {ARGS(VALUE, UP_TO(32), UP_TO(32), UP_TO(32), UP_TO(128))},
    [SYS_get_robust_list] = {ARGS(VALUE, FIXED(8), FIXED(8))},
    [SYS_getcwd] = {ARGS(SIZED(1, 1))},
    [SYS_uname] = {ARGS(FIXED(390))},
    [SYS_sysinfo] = {ARGS(FIXED(112))},
    [SYS_times] = {ARGS(FIXED(32))},
    [SYS_getcpu] = {ARGS(FIXED(4), FIXED(4))},
    [SYS_getrandom] = {ARGS(SIZED(1, 1))},
    [SYS_syslog] = {ARGS(VALUE, SIZED(2, 1))},
    [SYS_sched_setparam] = {ARGS(VALUE, FIXED(4))},
    [SYS_sched_getparam] = {ARGS(VALUE, FIXED(4))},
    [SYS_sched_setscheduler] = {ARGS(VALUE, VALUE, FIXED(4))},
    [SYS_sched_rr_get_interval] = {ARGS(VALUE, FIXED(16))},
    [SYS_sched_setaffinity] = {ARGS(VALUE, VALUE, SIZED(1, 1))},
    [SYS_sched_getaffinity] = {ARGS(VALUE, VALUE, SIZED(1, 1))},
    [SYS_sched_setattr] = {ARGS(VALUE, FIXED(56))},
    [SYS_sched_getattr] = {ARGS(VALUE, SIZED(2, 1))},
    [SYS_perf_event_open] = {ARGS(UP_TO(136))},
    [SYS_bpf] = {ARGS(VALUE, SIZED(2, 1))},
    [SYS_ptrace] = {ARGS(VALUE, VALUE, UP_TO(512), TRACE(0)), .is_indirect = true},
    [SYS_seccomp] = {ARGS(VALUE, VALUE, PROGRAM), .is_indirect = true},
    [SYS_process_vm_readv] = {ARGS(VALUE, VECTOR(2), VALUE, VECTOR(4)), .is_indirect = true},
    [SYS_process_vm_writev] = {ARGS(VALUE, VECTOR(2), VALUE, VECTOR(4)), .is_indirect = true},
    [SYS_process_madvise] = {ARGS(VALUE, SIZED(2, 16))},
    /* signals */
    [SYS_rt_sigaction] = {ARGS(VALUE, FIXED(32), FIXED(32))},
    [SYS_rt_sigprocmask] = {ARGS(VALUE, FIXED(8), FIXED(8))},
    [SYS_rt_sigpending] = {ARGS(FIXED(8))},
    [SYS_rt_sigtimedwait] = {ARGS(FIXED(8), FIXED(128), FIXED(16))},
    [SYS_rt_sigqueueinfo] = {ARGS(VALUE, VALUE, FIXED(128))},
    [SYS_rt_tgsigqueueinfo] = {ARGS(VALUE, VALUE, VALUE, FIXED(128))},
    [SYS_rt_sigsuspend] = {ARGS(FIXED(8))},
    [SYS_sigaltstack] = {ARGS(FIXED(24), FIXED(24))},
    [SYS_pidfd_send_signal] = {ARGS(VALUE, VALUE, FIXED(128))},
    /* time */
    [SYS_nanosleep] = {ARGS(FIXED(16), FIXED(16))},
    [SYS_clock_nanosleep] = {ARGS(VALUE, VALUE, FIXED(16), FIXED(16))},
    [SYS_getitimer] = {ARGS(VALUE, FIXED(32))},
    [SYS_setitimer] = {ARGS(VALUE, FIXED(32), FIXED(32))},
    [SYS_gettimeofday] = {ARGS(FIXED(16), FIXED(8))},
    [SYS_settimeofday] = {ARGS(FIXED(16), FIXED(8))},
    [SYS_clock_gettime] = {ARGS(VALUE, FIXED(16))},
    [SYS_clock_settime] = {ARGS(VALUE, FIXED(16))},
    [SYS_clock_getres] = {ARGS(VALUE, FIXED(16))},
    [SYS_adjtimex] = {ARGS(FIXED(208))},
    [SYS_clock_adjtime] = {ARGS(VALUE, FIXED(208))},
    [SYS_timer_create] = {ARGS(VALUE, FIXED(64), FIXED(4))},
    [SYS_timer_settime] = {ARGS(VALUE, VALUE, FIXED(32), FIXED(32))},
    [SYS_timer_gettime] = {ARGS(VALUE, FIXED(32))},
    /* memory and locks */
    [SYS_munmap] = {ARGS(ADDRESS)},
    [SYS_mremap] = {ARGS(ADDRESS, VALUE, VALUE, VALUE, ADDRESS)},
    [SYS_mprotect] = {ARGS(ADDRESS)},
    [SYS_pkey_mprotect] = {ARGS(ADDRESS)},
    [SYS_madvise] = {ARGS(ADDRESS)},
    [SYS_mlock] = {ARGS(ADDRESS)},
    [SYS_mlock2] = {ARGS(ADDRESS)},
    [SYS_munlock] = {ARGS(ADDRESS)},
    [SYS_msync] = {ARGS(ADDRESS)},
    [SYS_mincore] = {ARGS(ADDRESS, VALUE, UP_TO(4096))},
    [SYS_move_pages] = {ARGS(VALUE, VALUE, SIZED(1, 8), SIZED(1, 4), SIZED(1, 4))},
    [SYS_mbind] = {ARGS(VALUE, VALUE, VALUE, BITS(4))},
    [SYS_set_mempolicy] = {ARGS(VALUE, BITS(2))},
    [SYS_get_mempolicy] = {ARGS(FIXED(4), BITS(2))},
    [SYS_migrate_pages] = {ARGS(VALUE, VALUE, BITS(1), BITS(1))},
    [SYS_futex] = {ARGS(FIXED(4), VALUE, VALUE, FIXED(16), FIXED(4))},
    [SYS_futex_waitv] = {ARGS(WAITERS(1), VALUE, VALUE, FIXED(16)), .is_indirect = true},
    [SYS_futex_wake] = {ARGS(FIXED(4))},
    [SYS_futex_wait] = {ARGS(FIXED(4), VALUE, VALUE, VALUE, FIXED(16))},
    [SYS_futex_requeue] = {ARGS(PAIR), .is_indirect = true},
    /* System V and POSIX messages */
    [SYS_semop] = {ARGS(VALUE, SIZED(2, 6))},
    [SYS_semtimedop] = {ARGS(VALUE, SIZED(2, 6), VALUE, FIXED(16))},
    [SYS_semctl] = {ARGS(VALUE, VALUE, VALUE, UP_TO(128))},
    [SYS_shmctl] = {ARGS(VALUE, VALUE, UP_TO(128))},
    [SYS_msgctl] = {ARGS(VALUE, VALUE, UP_TO(128))},
    [SYS_msgsnd] = {ARGS(VALUE, TEXT(2))},
    [SYS_msgrcv] = {ARGS(VALUE, TEXT(2))},
    [SYS_mq_open] = {ARGS(STRING, VALUE, VALUE, FIXED(64))},
    [SYS_mq_unlink] = {ARGS(STRING)},
    [SYS_mq_timedsend] = {ARGS(VALUE, SIZED(2, 1), VALUE, VALUE, FIXED(16))},
    [SYS_mq_timedreceive] = {ARGS(VALUE, SIZED(2, 1), VALUE, FIXED(4), FIXED(16))},
    [SYS_mq_notify] = {ARGS(VALUE, FIXED(64))},
    [SYS_mq_getsetattr] = {ARGS(VALUE, FIXED(64), FIXED(64))},
    /* asynchronous IO */
    [SYS_io_setup] = {ARGS(VALUE, FIXED(8))},
    [SYS_io_submit] = {ARGS(VALUE, VALUE, REQUESTS(1)), .is_indirect = true},
    [SYS_io_getevents] = {ARGS(VALUE, VALUE, VALUE, SIZED(2, 32), FIXED(16))},
    [SYS_io_pgetevents] = {ARGS(VALUE, VALUE, VALUE, SIZED(2, 32), FIXED(16), MASK), .is_indirect = true},
    [SYS_io_cancel] = {ARGS(VALUE, FIXED(64), FIXED(32))},
    [SYS_io_uring_setup] = {ARGS(VALUE, FIXED(120))},
    [SYS_io_uring_register] = {ARGS(VALUE, VALUE, UP_TO(4096))},
    [SYS_io_uring_enter] = {ARGS(VALUE, VALUE, VALUE, VALUE, UP_TO(64))},
    /* the system */
    [SYS_mount] = {ARGS(STRING, STRING, STRING, VALUE, UP_TO(4096))},
    [SYS_umount2] = {ARGS(STRING)},
    [SYS_pivot_root] = {ARGS(STRING, STRING)},
    [SYS_open_tree] = {ARGS(VALUE, STRING)},
    [SYS_move_mount] = {ARGS(VALUE, STRING, VALUE, STRING)},
    [SYS_fsopen] = {ARGS(STRING)},
    [SYS_fsconfig] = {ARGS(VALUE, VALUE, STRING, UP_TO(4096))},
    [SYS_fspick] = {ARGS(VALUE, STRING)},
    [SYS_open_tree_attr] = {ARGS(VALUE, STRING, VALUE, SIZED(4, 1))},
    [SYS_statmount] = {ARGS(FIXED(32), SIZED(2, 1))},
    [SYS_listmount] = {ARGS(FIXED(32), SIZED(2, 8))},
    [SYS_mount_setattr] = {ARGS(VALUE, STRING, VALUE, SIZED(4, 1))},
    [SYS_swapon] = {ARGS(STRING)},
    [SYS_swapoff] = {ARGS(STRING)},
    [SYS_acct] = {ARGS(STRING)},
    [SYS_sethostname] = {ARGS(SIZED(1, 1))},
    [SYS_setdomainname] = {ARGS(SIZED(1, 1))},
    [SYS_quotactl] = {ARGS(VALUE, STRING, VALUE, UP_TO(4096))},
    [SYS_quotactl_fd] = {ARGS(VALUE, VALUE, VALUE, UP_TO(4096))},
    [SYS_kexec_file_load] = {ARGS(VALUE, VALUE, VALUE, SIZED(3, 1))},
    [SYS_kexec_load] = {ARGS(VALUE, VALUE, SIZED(1, 32))},
    [SYS_init_module] = {ARGS(SIZED(1, 1), VALUE, STRING)},
    [SYS_finit_module] = {ARGS(VALUE, STRING)},
    [SYS_delete_module] = {ARGS(STRING)},
    [SYS_add_key] = {ARGS(STRING, STRING, SIZED(3, 1))},
    [SYS_request_key] = {ARGS(STRING, STRING, STRING)},
    [SYS_keyctl] = {ARGS(VALUE, UP_TO(4096), UP_TO(4096), UP_TO(4096), UP_TO(4096))},
    [SYS_lsm_get_self_attr] = {ARGS(VALUE, MEASURED(2), FIXED(4))},
    [SYS_lsm_set_self_attr] = {ARGS(VALUE, SIZED(2, 1))},
    [SYS_lsm_list_modules] = {ARGS(MEASURED(1), FIXED(4))},
    [SYS_landlock_create_ruleset] = {ARGS(SIZED(1, 1))},
    [SYS_landlock_add_rule] = {ARGS(VALUE, VALUE, FIXED(16))},
#ifdef SYS_open /* the calls that newer machines lack */
    [SYS_open] = {ARGS(STRING)},
    [SYS_creat] = {ARGS(STRING)},
    [SYS_access] = {ARGS(STRING)},
    [SYS_stat] = {ARGS(STRING, FIXED(144))},
    [SYS_lstat] = {ARGS(STRING, FIXED(144))},
    [SYS_mkdir] = {ARGS(STRING)},
    [SYS_rmdir] = {ARGS(STRING)},
    [SYS_mknod] = {ARGS(STRING)},
    [SYS_unlink] = {ARGS(STRING)},
    [SYS_rename] = {ARGS(STRING, STRING)},
    [SYS_link] = {ARGS(STRING, STRING)},
    [SYS_symlink] = {ARGS(STRING, STRING)},
    [SYS_readlink] = {ARGS(STRING, SIZED(2, 1))},
    [SYS_chmod] = {ARGS(STRING)},
    [SYS_chown] = {ARGS(STRING)},
    [SYS_lchown] = {ARGS(STRING)},
    [SYS_utime] = {ARGS(STRING, FIXED(16))},
    [SYS_utimes] = {ARGS(STRING, FIXED(32))},
    [SYS_futimesat] = {ARGS(VALUE, STRING, FIXED(32))},
    [SYS_getdents] = {ARGS(VALUE, SIZED(2, 1))},
    [SYS_pipe] = {ARGS(FIXED(8))},
    [SYS_poll] = {ARGS(SIZED(1, 8))},
    [SYS_select] = {ARGS(VALUE, BITS(0), BITS(0), BITS(0), FIXED(16))},
    [SYS_epoll_wait] = {ARGS(VALUE, SIZED(2, 12))},
    [SYS_signalfd] = {ARGS(VALUE, FIXED(8))},
    [SYS_ustat] = {ARGS(VALUE, FIXED(32))},
    [SYS_sysfs] = {ARGS(VALUE, UP_TO(256), UP_TO(256))},
    [SYS_uselib] = {ARGS(STRING)},
    [SYS_lookup_dcookie] = {ARGS(VALUE, SIZED(2, 1))},
    [SYS_set_thread_area] = {ARGS(FIXED(16))},
    [SYS_get_thread_area] = {ARGS(FIXED(16))},
    [SYS_arch_prctl] = {ARGS(VALUE, FIXED(8))},
    [SYS_modify_ldt] = {ARGS(VALUE, SIZED(2, 1))},
    [SYS_time] = {ARGS(FIXED(8))},
#endif
};
/* clang-format on */

const struct guard_call *guard_table_find(long number)
{
    if (number < 0 || number >= GUARD_CALLS || !guard_table_pointers(&calls[number]))
        return NULL;
    return &calls[number];
}

unsigned guard_table_pointers(const struct guard_call *call)
{
    unsigned pointers = 0;

    for (unsigned i = 0; i < 6; i++)
        if (call->argument[i].kind != GUARD_VALUE)
            pointers |= 1u << i;
    return pointers;
}
