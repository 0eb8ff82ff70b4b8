/* SPDX-License-Identifier: MIT */
/*
 * The system calls that the other tests do not make, a line for each. Those that would change the
 * machine are made so that they fail, and must fail as they would without uswap.
 */
#include "cold.h"

#include "heap/guard/guard_numbers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <utime.h>

/* Exported by libc, declared nowhere. */
int arch_prctl(int code, unsigned long address);
int capget(void *header, void *data);
int capset(void *header, const void *data);
int delete_module(const char *name, unsigned flags);
int init_module(void *image, unsigned long size, const char *parameters);
int modify_ldt(int function, void *data, unsigned long size);
int pivot_root(const char *new_root, const char *put_old);

/* An argument: a value, or memory of this size that is copied into cold memory. */
struct argument {
    long value;
    const void *bytes;
    size_t size;
};
#define N(number)         ((struct argument){.value = (long)(number)})
#define STRING(text)      ((struct argument){.bytes = text})
#define IN(address, size) ((struct argument){0, address, size})
#define OUT(size)         ((struct argument){0, zeros, size})

enum result {
    EXACT,  /* the result and all memory are printed */
    VARIES, /* whether it worked is printed: what it gives is different each time */
    OPENS,  /* the same, and it is a descriptor */
};

static const char zeros[8192];

static long convert(const struct argument *argument)
{
    if (!argument->bytes)
        return argument->value;
    if (!argument->size)
        return (long)cold_string(argument->bytes);
    return (long)cold_copy(argument->bytes, argument->size);
}

static void say_memory(const char *what, const struct argument *arguments, const long *converted)
{
    for (int i = 0; i < 6; i++)
        if (arguments[i].size)
            say(what, 0, (const void *)converted[i], arguments[i].size);
}

typedef long (*function)(long, long, long, long, long, long);

/* An int function leaves the upper half of the result as it was. */
static long call_by_name(function call, const long a[6])
{
    return (int)call(a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* by_name NULL: libc has no such function, or one with other arguments. */
static long try(enum way way, const char *name, function by_name, long number, enum result kind,
                const struct argument arguments[6])
{
    long a[6], result;

    if (way == BY_NAME && !by_name)
        return -1;
    for (int i = 0; i < 6; i++)
        a[i] = convert(&arguments[i]);
    result = CALL(call_by_name(by_name, a), number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (kind == EXACT || result == -1)
        say(name, result, "", 0);
    else
        say(name, result >= 0, "", 0);
    if (kind == EXACT)
        say_memory(name, arguments, a);
    if (kind == OPENS && result >= 0)
        close((int)result);
    return result;
}

#define TRY(call, by_name, kind, ...)                                                              \
    try(way, #call, (function)(uintptr_t)(by_name), SYS_##call, kind,                              \
        (const struct argument[6]){__VA_ARGS__})

/* ---- Files ---- */

static void prepare_files(void)
{
    int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, "content", 7) != 7)
        exit(1);
    close(fd);
    mkdir("dir", 0700);
    for (int i = 0; i < 3; i++)
        unlink((const char *[]){"dir/new", "hard", "soft"}[i]);
}

static void paths(enum way way)
{
    struct open_how how = {.flags = O_RDONLY};
    struct timeval times[2] = {{1, 2}, {3, 4}};
    struct utimbuf old_times = {5, 6};

    prepare_files();
    TRY(openat2, NULL, OPENS, N(AT_FDCWD), STRING("data"), IN(&how, sizeof(how)), N(sizeof(how)));
    TRY(faccessat, faccessat, EXACT, N(AT_FDCWD), STRING("data"), N(R_OK));
    TRY(faccessat2, NULL, EXACT, N(AT_FDCWD), STRING("none"), N(R_OK), N(0));
    TRY(fchmodat, fchmodat, EXACT, N(AT_FDCWD), STRING("data"), N(0640));
    TRY(fchmodat2, NULL, EXACT, N(AT_FDCWD), STRING("data"), N(0600), N(0));
    TRY(fchownat, fchownat, EXACT, N(AT_FDCWD), STRING("data"), N(-1), N(-1), N(0));
    TRY(lchown, lchown, EXACT, STRING("data"), N(-1), N(-1));
    TRY(linkat, linkat, EXACT, N(AT_FDCWD), STRING("data"), N(AT_FDCWD), STRING("hard"), N(0));
    TRY(symlinkat, symlinkat, EXACT, STRING("data"), N(AT_FDCWD), STRING("soft"));
    TRY(renameat2, renameat2, EXACT, N(AT_FDCWD), STRING("hard"), N(AT_FDCWD), STRING("soft"),
        N(1));
    TRY(mkdirat, mkdirat, EXACT, N(AT_FDCWD), STRING("dir/new"), N(0700));
    TRY(unlinkat, unlinkat, EXACT, N(AT_FDCWD), STRING("dir/new"), N(AT_REMOVEDIR));
    TRY(mknod, mknod, EXACT, STRING("dir/new"), N(S_IFIFO | 0600), N(0));
    unlink("dir/new");
    TRY(mknodat, mknodat, EXACT, N(AT_FDCWD), STRING("dir/new"), N(S_IFIFO | 0600), N(0));
    TRY(utime, utime, EXACT, STRING("data"), IN(&old_times, sizeof(old_times)));
    TRY(utimes, utimes, EXACT, STRING("data"), IN(times, sizeof(times)));
    TRY(futimesat, futimesat, EXACT, N(AT_FDCWD), STRING("data"), IN(times, sizeof(times)));
    TRY(uselib, NULL, EXACT, STRING("none"));
    TRY(chroot, chroot, EXACT, STRING("none"));
}

static void handles(enum way way)
{
    struct file_handle handle = {.handle_bytes = 128};
    char none[136] = {8};
    uint64_t cache[2] = {0, 0};
    int directory = open("dir", O_RDONLY | O_DIRECTORY), file = open("data", O_RDONLY);

    TRY(name_to_handle_at, name_to_handle_at, VARIES, N(AT_FDCWD), STRING("data"),
        IN(&handle, sizeof(handle)), OUT(4), N(0));
    TRY(open_by_handle_at, open_by_handle_at, EXACT, N(AT_FDCWD), IN(none, sizeof(none)), N(0));
    TRY(getdents, NULL, VARIES, N(directory), OUT(5000), N(5000));
    lseek(directory, 0, SEEK_SET);
    TRY(getdents64, getdents64, VARIES, N(directory), OUT(5000), N(5000));
    TRY(cachestat, NULL, VARIES, N(file), IN(cache, sizeof(cache)), OUT(40), N(0));
    TRY(file_getattr, NULL, VARIES, N(AT_FDCWD), STRING("data"), OUT(24), N(24), N(0));
    TRY(file_setattr, NULL, EXACT, N(AT_FDCWD), STRING("none"), OUT(24), N(24), N(0));
    TRY(ustat, NULL, EXACT, N(0), OUT(32));
    TRY(sysfs, NULL, EXACT, N(1), STRING("proc"));
    TRY(lookup_dcookie, NULL, EXACT, N(0), OUT(100), N(100));
    TRY(fanotify_mark, fanotify_mark, EXACT, N(-1), N(1), N(2), N(AT_FDCWD), STRING("data"));
    close(directory);
    close(file);
}

static void attributes(enum way way)
{
    struct {
        uint64_t value;
        uint32_t size, flags;
    } attribute = {0, 5, 0};
    int file = open("data", O_RDWR);

    TRY(fsetxattr, fsetxattr, EXACT, N(file), STRING("user.a"), IN("hello", 5), N(5), N(0));
    TRY(fgetxattr, fgetxattr, EXACT, N(file), STRING("user.a"), OUT(50), N(50));
    TRY(lsetxattr, lsetxattr, EXACT, STRING("data"), STRING("user.b"), IN("hello", 5), N(5), N(0));
    TRY(lgetxattr, lgetxattr, EXACT, STRING("data"), STRING("user.b"), OUT(50), N(50));
    TRY(flistxattr, flistxattr, EXACT, N(file), OUT(5000), N(5000));
    TRY(llistxattr, llistxattr, EXACT, STRING("data"), OUT(5000), N(5000));
    TRY(listxattrat, NULL, EXACT, N(AT_FDCWD), STRING("data"), N(0), OUT(5000), N(5000));
    TRY(fremovexattr, fremovexattr, EXACT, N(file), STRING("user.a"));
    TRY(lremovexattr, lremovexattr, EXACT, STRING("data"), STRING("user.b"));
    char *value = cold_copy("world", 5);
    attribute.value = (uintptr_t)value;
    TRY(setxattrat, NULL, VARIES, N(AT_FDCWD), STRING("data"), N(0), STRING("user.c"),
        IN(&attribute, sizeof(attribute)), N(sizeof(attribute)));
    memset(value, 0, 5);
    TRY(getxattrat, NULL, VARIES, N(AT_FDCWD), STRING("data"), N(0), STRING("user.c"),
        IN(&attribute, sizeof(attribute)), N(sizeof(attribute)));
    say("value", 0, value, 5);
    TRY(removexattrat, NULL, EXACT, N(AT_FDCWD), STRING("data"), N(0), STRING("user.c"));
    close(file);
}

/* ---- Descriptors ---- */

static void descriptors(enum way way)
{
    struct flock lock = {.l_type = F_WRLCK, .l_len = 10};
    struct timespec none = {0, 0};
    uint64_t mask = 0;
    int pipes[2], file = open("data", O_RDWR), epoll = epoll_create1(0);
    int *given = cold(2 * sizeof(int));

    TRY(fcntl, fcntl, EXACT, N(file), N(F_SETLK), IN(&lock, sizeof(lock)));
    TRY(fcntl, fcntl, EXACT, N(file), N(F_GETLK), IN(&lock, sizeof(lock)));
    TRY(pipe2, pipe2, EXACT, N(given), N(O_CLOEXEC));
    close(given[0]), close(given[1]);
    TRY(socketpair, socketpair, EXACT, N(AF_UNIX), N(SOCK_STREAM), N(0), N(given));
    close(given[0]), close(given[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    listen(listener, 1);
    TRY(accept, accept, EXACT, N(listener), OUT(16), IN((int[]){16}, 4));
    close(listener);
    TRY(epoll_pwait2, epoll_pwait2, EXACT, N(epoll), OUT(5000), N(400), IN(&none, sizeof(none)),
        IN(&mask, sizeof(mask)), N(8));
    void *signals = cold_copy(&mask, sizeof(mask));
    int descriptor = (int)CALL(signalfd(-1, signals, 0), SYS_signalfd4, -1, signals, 8, 0);
    say("signalfd4", descriptor >= 0, "", 0);
    close(descriptor);
    TRY(signalfd, NULL, OPENS, N(-1), IN(&mask, sizeof(mask)),
        N(8)); /* libc's takes flags instead */
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    TRY(timerfd_gettime, timerfd_gettime, EXACT, N(timer), OUT(32));
    if (pipe(pipes))
        exit(1);
    char *buffer = cold(6000);
    struct iovec vector = {buffer, 6000};
    memset(buffer, 'v', 6000);
    TRY(vmsplice, vmsplice, VARIES, N(pipes[1]), IN(&vector, sizeof(vector)), N(1), N(0));
    say("from the pipe", read(pipes[0], buffer, 6000), buffer, 6000);
    close(timer), close(epoll), close(file), close(pipes[0]), close(pipes[1]);
}

static void asynchronous(enum way way)
{
    struct iocb request = {0};
    struct timespec none = {0, 0};
    uint64_t mask[2] = {0, 8};
    aio_context_t context = 0;
    char params[120] = "";

    if (syscall(SYS_io_setup, 4, &context))
        exit(1);
    TRY(io_cancel, NULL, EXACT, N(context), IN(&request, sizeof(request)), OUT(32));
    TRY(io_pgetevents, NULL, EXACT, N(context), N(0), N(1), OUT(32), IN(&none, sizeof(none)),
        IN(mask, sizeof(mask)));
    syscall(SYS_io_destroy, context);
    TRY(io_uring_setup, NULL, OPENS, N(4), IN(params, sizeof(params)));
    TRY(io_uring_enter, NULL, EXACT, N(-1), N(0), N(0), N(8), OUT(24), N(24));
    TRY(io_uring_register, NULL, EXACT, N(-1), N(2), OUT(100), N(25));
}

/* ---- Processes ---- */

static void ids(enum way way)
{
    gid_t groups[100];
    int count = getgroups(100, groups);

    TRY(getresgid, getresgid, EXACT, OUT(4), OUT(4), OUT(4));
    TRY(setgroups, setgroups, EXACT, N(count), IN(groups, (size_t)count * sizeof(gid_t) + 8));
    TRY(getcpu, getcpu, VARIES, OUT(4), OUT(4));
    TRY(times, times, VARIES, OUT(32));
    TRY(time, time, VARIES, OUT(8));
    TRY(gettimeofday, gettimeofday, VARIES, OUT(16), OUT(8));
    TRY(get_robust_list, NULL, VARIES, N(0), OUT(8), OUT(8));
    TRY(arch_prctl, arch_prctl, VARIES, N(0x1003), OUT(8));
    TRY(modify_ldt, modify_ldt, EXACT, N(0), OUT(100), N(100));
    TRY(set_thread_area, NULL, EXACT, OUT(16));
    TRY(get_thread_area, NULL, EXACT, OUT(16));
}

static void scheduling(enum way way)
{
    struct {
        uint32_t size, policy;
        uint64_t rest[5];
    } attribute = {.size = 48};
    cpu_set_t cpus;
    int normal = 0;
    struct rlimit limit;

    sched_getaffinity(0, sizeof(cpus), &cpus);
    getrlimit(RLIMIT_CPU, &limit);
    TRY(sched_setaffinity, sched_setaffinity, EXACT, N(0), N(sizeof(cpus)),
        IN(&cpus, sizeof(cpus)));
    TRY(sched_setparam, sched_setparam, EXACT, N(0), IN(&normal, 4));
    TRY(sched_setscheduler, sched_setscheduler, EXACT, N(0), N(SCHED_OTHER), IN(&normal, 4));
    TRY(sched_rr_get_interval, sched_rr_get_interval, VARIES, N(0), OUT(16));
    TRY(sched_setattr, NULL, EXACT, N(0), IN(&attribute, sizeof(attribute)), N(0));
    TRY(sched_getattr, NULL, VARIES, N(0), OUT(56), N(56), N(0));
    TRY(setrlimit, setrlimit, EXACT, N(RLIMIT_CPU), IN(&limit, sizeof(limit)));
}

static void security(enum way way)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    uint32_t action = 0x7fff0000;

    if (syscall(SYS_capget, &header, data))
        exit(1);
    TRY(capget, capget, EXACT, IN(&header, sizeof(header)), OUT(24));
    TRY(capset, capset, EXACT, IN(&header, sizeof(header)), IN(data, sizeof(data)));
    TRY(seccomp, NULL, EXACT, N(2), N(0), IN(&action, 4));
    TRY(bpf, NULL, EXACT, N(9999), OUT(64), N(64));
    TRY(perf_event_open, NULL, EXACT, OUT(120), N(0), N(-1), N(-1), N(0x80000000));
    TRY(landlock_create_ruleset, NULL, EXACT, OUT(8), N(8), N(99));
    TRY(landlock_add_rule, NULL, EXACT, N(-1), N(1), OUT(16), N(0));
    TRY(lsm_list_modules, NULL, VARIES, OUT(512), IN((uint32_t[]){512}, 4), N(0));
    TRY(lsm_get_self_attr, NULL, VARIES, N(100), OUT(512), IN((uint32_t[]){512}, 4), N(0));
    TRY(lsm_set_self_attr, NULL, EXACT, N(100), OUT(32), N(32), N(0));
    TRY(add_key, NULL, VARIES, STRING("user"), STRING("uswap"), IN("payload", 7), N(7),
        N(KEY_SPEC_PROCESS_KEYRING));
    TRY(request_key, NULL, EXACT, STRING("user"), STRING("none of this name"), N(0), N(0));
    TRY(keyctl, NULL, VARIES, N(KEYCTL_DESCRIBE), N(KEY_SPEC_PROCESS_KEYRING), OUT(300), N(300));
}

/* A child that is traced, stopped. */
static void traced(enum way way)
{
    struct user_regs_struct *registers = cold(sizeof(*registers));
    struct iovec vector = {registers, sizeof(*registers)};
    pid_t child = fork();

    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        _exit(0);
    }
    waitpid(child, NULL, WUNTRACED);
    TRY(ptrace, ptrace, VARIES, N(PTRACE_GETREGSET), N(child), N(1), IN(&vector, sizeof(vector)));
    say("a register", registers->rsp > 1 << 20, "", 0);
    TRY(ptrace, ptrace, EXACT, N(PTRACE_GETSIGINFO), N(child), N(0), OUT(sizeof(int)));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* ---- Signals and timers ---- */

static volatile sig_atomic_t caught;

static void catch (int signo)
{
    caught++;
}

static void signals(enum way way)
{
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } action = {SIG_IGN, 0, NULL, 0};
    siginfo_t info = {.si_signo = 0, .si_code = SI_QUEUE};
    uint64_t none = 0;
    sigset_t set, old;
    int self = pidfd_open(getpid(), 0);

    TRY(rt_sigaction, NULL, EXACT, N(SIGUSR2), IN(&action, sizeof(action)), OUT(32), N(8));
    TRY(rt_sigaction, NULL, EXACT, N(SIGBUS), N(0), OUT(32), N(8));
    TRY(rt_sigaction, NULL, EXACT, N(SIGSYS), N(0), OUT(32), N(8));
    TRY(rt_sigqueueinfo, NULL, EXACT, N(getpid()), N(0), IN(&info, sizeof(info)));
    TRY(rt_tgsigqueueinfo, NULL, EXACT, N(getpid()), N(gettid()), N(0), IN(&info, sizeof(info)));
    TRY(pidfd_send_signal, pidfd_send_signal, EXACT, N(self), N(0), IN(&info, sizeof(info)), N(0));
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    signal(SIGUSR1, catch);
    raise(SIGUSR1);
    TRY(rt_sigsuspend, way == BY_NAME ? sigsuspend : NULL, EXACT, IN(&none, 128), N(8));
    if (way != BY_NAME)
        say("caught", caught, "", 0);
    sigprocmask(SIG_SETMASK, &old, NULL);
    close(self);
}

static void timers(enum way way)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    struct itimerspec long_time = {.it_value.tv_sec = 1000};
    struct timeval wrong = {0, 2000000};
    timer_t *timer = cold(sizeof(*timer));
    struct timex nothing = {0};

    TRY(timer_create, timer_create, EXACT, N(CLOCK_MONOTONIC), IN(&event, sizeof(event)), N(timer));
    TRY(timer_settime, timer_settime, EXACT, N(*timer), N(0), IN(&long_time, sizeof(long_time)),
        OUT(32));
    TRY(timer_gettime, timer_gettime, VARIES, N(*timer), OUT(32));
    if (way == BY_NAME)
        timer_delete(*timer);
    else
        syscall(SYS_timer_delete, *timer);
    TRY(settimeofday, settimeofday, EXACT, IN(&wrong, sizeof(wrong)), N(0));
    TRY(clock_settime, clock_settime, EXACT, N(CLOCK_MONOTONIC), OUT(16));
    TRY(adjtimex, adjtimex, VARIES, IN(&nothing, sizeof(nothing)));
    TRY(clock_adjtime, clock_adjtime, VARIES, N(CLOCK_REALTIME), IN(&nothing, sizeof(nothing)));
}

/* ---- Memory ---- */

static void placement(enum way way)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t node = 1;
    int self = pidfd_open(getpid(), 0);
    struct iovec vector = {page, PAGE};

    *(char *)page = 1;
    TRY(mincore, mincore, EXACT, N(page), N(PAGE), OUT(1));
    TRY(mbind, NULL, EXACT, N(page), N(PAGE), N(1), IN(&node, 8), N(64), N(0));
    TRY(get_mempolicy, NULL, EXACT, OUT(4), OUT(128), N(1024), N(0), N(0));
    TRY(set_mempolicy, NULL, EXACT, N(1), IN(&node, 8), N(64));
    syscall(SYS_set_mempolicy, 0, NULL, 0);
    TRY(migrate_pages, NULL, EXACT, N(0), N(64), IN(&node, 8), IN(&node, 8));
    int *node_of_page = cold(sizeof(int));
    TRY(move_pages, NULL, VARIES, N(0), N(1), IN(&page, 8), N(0), N(node_of_page), N(0));
    say("on node", *node_of_page, "", 0);
    TRY(process_madvise, process_madvise, VARIES, N(self), IN(&vector, sizeof(vector)), N(1),
        N(MADV_COLD), N(0));
    munmap(page, PAGE);
    close(self);
}

static void futexes(enum way way)
{
    uint32_t *word = cold(sizeof(*word));
    struct timespec soon = {0, 1000000};
    uint64_t waiters[2][3] = {{7, (uintptr_t)word, 0x82}, {0, (uintptr_t)word, 0x82}};

    struct argument pair = N(cold_copy(waiters, sizeof(waiters)));

    TRY(futex_waitv, NULL, EXACT, pair, N(2), N(0), N(0), N(0));
    TRY(futex_wake, NULL, EXACT, N(word), N(1), N(1), N(0x82));
    TRY(futex_wait, NULL, EXACT, N(word), N(3), N(1), N(0x82), IN(&soon, sizeof(soon)), N(1));
    TRY(futex_requeue, NULL, EXACT, pair, N(0), N(1), N(1));
}

/* ---- Messages ---- */

static void queues(enum way way)
{
    struct mq_attr attribute = {.mq_maxmsg = 2, .mq_msgsize = 5000};
    struct timespec past = {1, 0};
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    char name[40], *with_slash = name;

    snprintf(name, sizeof(name), "/uswap-test-%d", getpid());
    if (way != BY_NAME)
        with_slash++; /* which libc takes away */
    long queue = TRY(mq_open, mq_open, VARIES, STRING(with_slash), N(O_CREAT | O_RDWR), N(0600),
                     IN(&attribute, sizeof(attribute)));
    TRY(mq_notify, mq_notify, EXACT, N(queue), IN(&event, sizeof(event)));
    TRY(mq_timedsend, mq_timedsend, EXACT, N(queue), IN(zeros + 1, 4999), N(4999), N(3),
        IN(&past, sizeof(past)));
    TRY(mq_timedreceive, mq_timedreceive, EXACT, N(queue), OUT(5000), N(5000), OUT(4),
        IN(&past, sizeof(past)));
    TRY(mq_timedreceive, mq_timedreceive, EXACT, N(queue), OUT(5000), N(5000), OUT(4),
        IN(&past, sizeof(past)));
    TRY(mq_getsetattr, mq_setattr, EXACT, N(queue), IN(&attribute, sizeof(attribute)), OUT(64));
    TRY(mq_unlink, mq_unlink, EXACT, STRING(with_slash));
    close((int)queue);
}

static void system_v(enum way way)
{
    int set = semget(IPC_PRIVATE, 1, 0600), memory = shmget(IPC_PRIVATE, PAGE, 0600);
    struct sembuf up = {.sem_op = 1}, wait = {.sem_op = -5};
    struct timespec soon = {0, 1}; /* what sleeps longer may be interrupted */

    TRY(semctl, semctl, VARIES, N(set), N(0), N(IPC_STAT), OUT(sizeof(struct semid_ds)));
    TRY(semtimedop, semtimedop, EXACT, N(set), IN(&up, sizeof(up)), N(1), N(0));
    TRY(semtimedop, semtimedop, EXACT, N(set), IN(&wait, sizeof(wait)), N(1),
        IN(&soon, sizeof(soon)));
    TRY(shmctl, shmctl, VARIES, N(memory), N(IPC_STAT), OUT(sizeof(struct shmid_ds)));
    semctl(set, 0, IPC_RMID);
    shmctl(memory, IPC_RMID, NULL);
}

/* ---- The machine: these fail ---- */

static void mounting(enum way way)
{
    char attribute[32] = "";

    TRY(mount, mount, EXACT, STRING("none"), STRING("no/such/place"), STRING("tmpfs"), N(0),
        STRING("size=1"));
    TRY(umount2, umount2, EXACT, STRING("no/such/place"), N(0));
    TRY(pivot_root, pivot_root, EXACT, STRING("no/such/place"), STRING("no/such/place"));
    TRY(open_tree, open_tree, EXACT, N(AT_FDCWD), STRING("no/such/place"), N(0));
    TRY(open_tree_attr, NULL, EXACT, N(AT_FDCWD), STRING("no/such/place"), N(0),
        IN(attribute, sizeof(attribute)), N(sizeof(attribute)));
    TRY(move_mount, move_mount, EXACT, N(AT_FDCWD), STRING("no/such/place"), N(AT_FDCWD),
        STRING("dir"), N(0));
    TRY(fsopen, fsopen, EXACT, STRING("no such type"), N(0));
    TRY(fsconfig, fsconfig, EXACT, N(-1), N(1), STRING("key"), STRING("value"), N(0));
    TRY(fspick, fspick, EXACT, N(AT_FDCWD), STRING("no/such/place"), N(0));
    TRY(mount_setattr, mount_setattr, EXACT, N(AT_FDCWD), STRING("no/such/place"), N(0),
        IN(attribute, sizeof(attribute)), N(sizeof(attribute)));
    TRY(statmount, NULL, EXACT, OUT(32), OUT(5000), N(5000), N(0));
    TRY(listmount, NULL, EXACT, OUT(32), OUT(800), N(100), N(0));
    TRY(quotactl, quotactl, EXACT, N(0x80000500), STRING("no/such/device"), N(0), OUT(100));
    TRY(quotactl_fd, NULL, EXACT, N(-1), N(0x80000500), N(0), OUT(100));
    TRY(swapon, swapon, EXACT, STRING("no/such/file"), N(0));
    TRY(swapoff, swapoff, EXACT, STRING("no/such/file"));
    TRY(acct, acct, EXACT, STRING("no/such/file"));
}

static void ruling(enum way way)
{
    char host[65] = "", domain[65] = "";

    gethostname(host, sizeof(host));
    if (getdomainname(domain, sizeof(domain)))
        exit(1);
    TRY(sethostname, sethostname, EXACT, IN(host, sizeof(host)), N(strlen(host)));
    TRY(setdomainname, setdomainname, EXACT, IN(domain, sizeof(domain)), N(strlen(domain)));
    TRY(init_module, init_module, EXACT, OUT(5000), N(5000), STRING(""));
    TRY(finit_module, NULL, EXACT, N(-1), STRING(""), N(0));
    TRY(delete_module, delete_module, EXACT, STRING("no_such_module"), N(O_NONBLOCK));
    TRY(kexec_load, NULL, EXACT, N(0), N(1), OUT(32), N(~0));
    TRY(kexec_file_load, NULL, EXACT, N(-1), N(-1), N(5), IN("quiet", 5), N(0));
    TRY(syslog, klogctl, VARIES, N(3), OUT(100), N(100));
}

static void executing(enum way way)
{
    char *word = cold_string("word"), *words[2] = {word, NULL};

    TRY(execveat, execveat, VARIES, N(AT_FDCWD), STRING("no/such/file"), IN(words, sizeof(words)),
        N(0), N(0));
}

int main(void)
{
    static const struct cold_case cases[] = {
        {"paths", paths},
        {"handles", handles},
        {"attributes", attributes},
        {"descriptors", descriptors},
        {"asynchronous", asynchronous},
        {"ids", ids},
        {"scheduling", scheduling},
        {"security", security},
        {"traced", traced},
        {"signals", signals},
        {"timers", timers},
        {"placement", placement},
        {"futexes", futexes},
        {"queues", queues},
        {"system V", system_v},
        {"mounting", mounting},
        {"ruling", ruling},
        {"executing", executing},
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
