/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include "base/clock.h"
#include "base/fmt.h"
#include "base/msg.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a link in /proc/PID/fd says about a memory file, with " (deleted)" behind it. */
#define LINK_PREFIX "/memfd:"

/* How long a program may take from its start to its page. */
#define EXEC_LOOKS   20
#define EXEC_LOOK_US 5000

/* The part of the page before the shards. */
#define HEAD_SIZE offsetof(struct status, shards)

/* ---- /proc ---- */

static int read_file(pid_t pid, const char *name, char *buffer, size_t size)
{
    char path[64];
    ssize_t length;
    int fd;

    fmt_write(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    length = read(fd, buffer, size - 1);
    close(fd);
    if (length < 0)
        return -errno;
    buffer[length] = '\0';
    return (int)length;
}

/* State and start time; what is before them may hold anything in parentheses. */
static bool read_stat(pid_t pid, char *state, uint64_t *born)
{
    char text[1024];
    const char *after = read_file(pid, "stat", text, sizeof(text)) > 0 ? strrchr(text, ')') : NULL;

    if (!after || after[1] != ' ')
        return false;
    *state = after[2];
    after += 2;
    for (int field = 3; after && field < 22; field++)
        after = strchr(after + 1, ' ');
    *born = after ? strtoull(after, NULL, 10) : 0;
    return after != NULL && *state != 'Z' && *state != 'X';
}

/* Its number in its own namespace: the last of the line. */
static int64_t number_inside(pid_t pid)
{
    char text[4096];
    const char *line =
        read_file(pid, "status", text, sizeof(text)) > 0 ? strstr(text, "\nNSpid:") : NULL;
    int64_t number = pid;
    char *end;

    if (!line)
        return number;
    for (line += strlen("\nNSpid:"); *line && *line != '\n'; line = end) {
        number = strtoll(line, &end, 10);
        if (end == line)
            break;
    }
    return number;
}

/* The directory of the program says less than its arguments, and takes their place. */
static int drop_directory(char *command, int length)
{
    const char *slash = length > 0 ? strrchr(command, '/') : NULL;
    int drop = slash ? (int)(slash + 1 - command) : 0;

    memmove(command, command + drop, (size_t)(length > 0 ? length - drop : 0));
    return drop;
}

static void read_command(struct peer *peer)
{
    int length = read_file(peer->pid, "cmdline", peer->command, sizeof(peer->command));

    if (length <= 0) {
        length = read_file(peer->pid, "comm", peer->command, sizeof(peer->command));
        length -= length > 0;
    }
    while (length > 0 && !peer->command[length - 1])
        length--;
    length -= drop_directory(peer->command, length);
    for (int i = 0; i < length; i++)
        if ((unsigned char)peer->command[i] < ' ' || peer->command[i] == 127)
            peer->command[i] = ' ';
    peer->command[length > 0 ? length : 0] = '\0';
}

/* Open the memory file with this name that a process has, as *number. -ENOENT: it has none. */
static int open_memory(pid_t pid, const char *name, int flags, int *number)
{
    char path[64], link[64], wanted[64];
    struct dirent *entry;
    DIR *directory;
    int fd = -ENOENT;

    fmt_write(path, sizeof(path), "/proc/%d/fd", (int)pid);
    directory = opendir(path);
    if (!directory)
        return errno == ENOENT ? -ESRCH : -errno;
    fmt_write(wanted, sizeof(wanted), LINK_PREFIX "%s ", name);
    while (fd == -ENOENT && (entry = readdir(directory))) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, link, sizeof(link) - 1);
        if (length <= 0)
            continue;
        link[length] = '\0';
        if (strncmp(link, wanted, strlen(wanted)) != 0)
            continue;
        fd = openat(dirfd(directory), entry->d_name, flags | O_CLOEXEC);
        if (fd < 0)
            fd = -errno;
        *number = atoi(entry->d_name);
    }
    closedir(directory);
    return fd;
}

/* ---- The page ---- */

static bool read_at(int fd, void *buffer, size_t size, size_t offset)
{
    return pread(fd, buffer, size, (off_t)offset) == (ssize_t)size;
}

/* The head, the shards that are in use, and the parts. */
static bool copy_page(int fd, struct status *page)
{
    unsigned shards;

    if (!read_at(fd, page, HEAD_SIZE, 0))
        return false;
    shards = (unsigned)min_u64((uint64_t)page->gauges.threads, STATUS_SHARDS);
    return read_at(fd, page->shards, shards * sizeof(page->shards[0]), HEAD_SIZE) &&
           read_at(fd, &page->parts, sizeof(page->parts), offsetof(struct status, parts));
}

static int check_page(const struct peer *peer)
{
    const struct status *page = peer->now;

    if (page->magic != STATUS_MAGIC)
        return -ENOENT;
    if (page->version != STATUS_VERSION || page->size != sizeof(*page))
        return -EPROTO;
    /* Between fork and its own page, and after vfork, a child has that of its parent. */
    return page->pid == number_inside(peer->pid) ? 0 : -ENOENT;
}

/* Whether its page is still the one that is open here. */
static bool has_same_page(const struct peer *peer)
{
    struct stat ours, theirs;
    char path[64];

    fmt_write(path, sizeof(path), "/proc/%d/fd/%d", (int)peer->pid, peer->number);
    return stat(path, &theirs) == 0 && fstat(peer->status_fd, &ours) == 0 &&
           ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

/* It has executed a program, which may be about to make its page. */
static int follow(struct peer *peer)
{
    struct peer fresh;
    int error = peer_open(peer->pid, &fresh);

    for (unsigned i = 0; error == -ENOENT && peer_state(peer) && i < EXEC_LOOKS; i++) {
        usleep(EXEC_LOOK_US);
        error = peer_open(peer->pid, &fresh);
    }
    if (!error && fresh.born != peer->born) {
        peer_close(&fresh);
        error = -ESRCH;
    }
    if (error)
        return -ESRCH;
    peer_close(peer);
    *peer = fresh;
    return 0;
}

int peer_read(struct peer *peer)
{
    struct status *fresh;

    if (!has_same_page(peer))
        return follow(peer);
    fresh = peer->before ? peer->before : calloc(1, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;
    peer->before = peer->now;
    peer->before_ns = peer->now_ns;
    peer->now = fresh;
    return peer_read_again(peer);
}

int peer_read_again(struct peer *peer)
{
    peer->now_ns = clock_now_ns();
    if (!copy_page(peer->status_fd, peer->now))
        return -EIO;
    return peer_state(peer) ? 0 : -ESRCH;
}

char peer_state(const struct peer *peer)
{
    uint64_t born;
    char state;

    return read_stat(peer->pid, &state, &born) && born == peer->born ? state : 0;
}

int peer_open(pid_t pid, struct peer *peer)
{
    char path[32];
    struct stat info;
    char state;
    int error = 0;

    *peer = (struct peer){.pid = pid, .status_fd = -1};
    fmt_write(path, sizeof(path), "/proc/%d", (int)pid);
    if (stat(path, &info) != 0 || !read_stat(pid, &state, &peer->born))
        return -ESRCH;
    peer->uid = info.st_uid;
    peer->status_fd = open_memory(pid, STATUS_NAME, O_RDONLY, &peer->number);
    if (peer->status_fd < 0)
        return peer->status_fd;
    peer->now = calloc(1, sizeof(*peer->now));
    peer->now_ns = clock_now_ns();
    if (!peer->now)
        error = -ENOMEM;
    else if (!read_at(peer->status_fd, peer->now, HEAD_SIZE, 0))
        error = -EPROTO;
    error = error ? error : check_page(peer);
    if (!error && !copy_page(peer->status_fd, peer->now))
        error = -EPROTO;
    if (error)
        peer_close(peer);
    else
        read_command(peer);
    return error;
}

void peer_close(struct peer *peer)
{
    if (peer->status_fd >= 0)
        close(peer->status_fd);
    free(peer->now);
    free(peer->before);
    *peer = (struct peer){.status_fd = -1};
}

void peer_close_all(struct peer *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        peer_close(&list[i]);
    free(list);
}

/* ---- Lists ---- */

static bool is_listed(const struct peer *list, unsigned count, pid_t pid)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i].pid == pid)
            return true;
    return false;
}

static int by_number(const void *a, const void *b)
{
    const struct peer *left = a, *right = b;

    return (left->pid > right->pid) - (left->pid < right->pid);
}

static void drop_ended(struct peer *list, unsigned *count)
{
    unsigned left = 0;

    for (unsigned i = 0; i < *count; i++) {
        if (peer_read(&list[i]) == 0)
            list[left++] = list[i];
        else
            peer_close(&list[i]);
    }
    *count = left;
}

/* Append a process that may be read and is not there yet. */
static struct peer *append(struct peer *list, unsigned *count, pid_t pid)
{
    struct peer found, *longer;

    if (pid < 0 || is_listed(list, *count, pid) || peer_open(pid, &found))
        return list;
    longer = realloc(list, (*count + 1) * sizeof(*list));
    if (!longer) {
        peer_close(&found);
        return list;
    }
    longer[(*count)++] = found;
    return longer;
}

struct peer *peer_update(struct peer *list, unsigned *count)
{
    struct dirent *entry;
    DIR *proc = opendir("/proc");

    drop_ended(list, count);
    while (proc && (entry = readdir(proc)))
        list = append(list, count, peer_parse_pid(entry->d_name));
    if (proc)
        closedir(proc);
    if (*count)
        qsort(list, *count, sizeof(*list), by_number);
    return list;
}

struct peer *peer_update_these(struct peer *list, unsigned *count, const pid_t *pids,
                               unsigned pid_count)
{
    drop_ended(list, count);
    for (unsigned i = 0; i < pid_count; i++)
        list = append(list, count, pids[i]);
    if (*count)
        qsort(list, *count, sizeof(*list), by_number);
    return list;
}

/* ---- Several together ---- */

/* Counters go into the first shard of the sum. */
static void add_page(struct status *sum, const struct status *page)
{
    for (unsigned i = 0; i < STAT_COUNT; i++)
        sum->shards[0].counters[i] += status_sum(page, i);
    for (unsigned i = 0; i < HISTOGRAM_COUNT; i++)
        status_merge(page, i, &sum->shards[0].histograms[i]);
    sum->gauges.pages += (uint32_t)page->gauges.pages;
    sum->gauges.metadata += page->gauges.metadata;
    sum->gauges.swapped += page->gauges.swapped;
    sum->gauges.packed_memory += page->gauges.packed_memory;
    sum->gauges.packed_content += page->gauges.packed_content;
    if (!sum->started_ns || page->started_ns < sum->started_ns)
        sum->started_ns = page->started_ns;
}

int peer_sum(const struct peer *list, unsigned count, struct peer *sum)
{
    bool again = false;

    for (unsigned i = 0; i < count; i++)
        again = again || list[i].before;
    *sum = (struct peer){.status_fd = -1, .now = calloc(1, sizeof(*sum->now))};
    sum->before = again ? calloc(1, sizeof(*sum->before)) : NULL;
    if (!sum->now || (again && !sum->before)) {
        peer_close(sum);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < count; i++) {
        add_page(sum->now, list[i].now);
        /* Of one that is new nothing is known of the time between. */
        if (again)
            add_page(sum->before, list[i].before ? list[i].before : list[i].now);
        if (list[i].before)
            sum->before_ns = list[i].before_ns;
        sum->now_ns = list[i].now_ns;
    }
    return 0;
}

struct peer *peer_list(unsigned *count)
{
    *count = 0;
    return peer_update(NULL, count);
}

pid_t peer_parse_pid(const char *text)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno && number > 0 && number <= INT32_MAX
               ? (pid_t)number
               : -1;
}

void peer_explain(const char *text, int error)
{
    char name[8];

    switch (error) {
    case -ESRCH:
        msg_error("%s: there is no such process", text);
        break;
    case -EACCES:
    case -EPERM:
        msg_error("%s: the process belongs to somebody else; only its owner and root may", text);
        break;
    case -ENOENT:
        msg_error("%s: the process is not under uswap; see uswap ps", text);
        break;
    case -EPROTO:
        msg_error("%s: the process runs with another version of uswap", text);
        break;
    default:
        msg_error("%s: cannot be read (%s)", text, fmt_errno(error, name));
    }
}

struct control *peer_control(const struct peer *peer)
{
    int number, fd = open_memory(peer->pid, CONTROL_NAME, O_RDWR, &number);
    struct control *page;

    if (fd < 0)
        return NULL;
    page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED)
        return NULL;
    if (page->magic == CONTROL_MAGIC && page->version == CONTROL_VERSION)
        return page;
    munmap(page, sizeof(*page));
    return NULL;
}

/* ---- What it says ---- */

uint64_t peer_rate(const struct peer *peer, enum stats_counter counter)
{
    uint64_t count = status_sum(peer->now, counter);
    uint64_t start = peer->before ? peer->before_ns : peer->now->started_ns;
    double seconds = (double)(peer->now_ns - start) / 1e9;

    if (peer->before)
        count -= status_sum(peer->before, counter);
    return seconds > 0 ? (uint64_t)((double)count / seconds + 0.5) : 0;
}

uint64_t peer_own_rate(const struct peer *peer, enum stats_counter counter)
{
    uint64_t at = peer->now->second.at;

    return peer->now_ns - at < 3 * STATUS_SECOND_NS ? peer->now->second.rates[counter] : 0;
}

void peer_histogram(const struct peer *peer, enum status_histogram which, struct histogram *into)
{
    struct histogram old = {0};

    *into = (struct histogram){0};
    status_merge(peer->now, which, into);
    if (!peer->before)
        return;
    status_merge(peer->before, which, &old);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->count[i] -= old.count[i];
}

uint64_t peer_percentile(const struct peer *peer, enum status_histogram which, double percent)
{
    struct histogram times;

    peer_histogram(peer, which, &times);
    return histogram_percentile(&times, percent);
}

uint64_t peer_resident(const struct peer *peer)
{
    const struct status_gauges *gauges = &peer->now->gauges;

    return (uint32_t)gauges->pages * PAGE_SIZE + (uint64_t)gauges->metadata;
}

uint64_t peer_resident_now(const struct peer *peer)
{
    struct status_gauges gauges;

    if (!read_at(peer->status_fd, &gauges, sizeof(gauges), offsetof(struct status, gauges)))
        return 0;
    return (uint32_t)gauges.pages * PAGE_SIZE + (uint64_t)gauges.metadata;
}

uint64_t peer_swapped(const struct peer *peer)
{
    int64_t pages = peer->now->gauges.swapped;

    return pages > 0 ? (uint64_t)pages * PAGE_SIZE : 0;
}

uint64_t peer_packed_memory(const struct peer *peer)
{
    return min_u64(peer->now->gauges.packed_memory * PAGE_SIZE, peer_resident(peer));
}

uint64_t peer_packed_content(const struct peer *peer)
{
    return min_u64(peer->now->gauges.packed_content * PAGE_SIZE, peer_swapped(peer));
}

bool peer_shares(const struct peer *peer, const struct peer *other)
{
    return peer->now->gauges.pool && peer->now->gauges.pool == other->now->gauges.pool;
}

/* What is on the page is the process's word: nothing but what a name may have gets to a terminal.
 */
const char *peer_pool(const struct peer *peer)
{
    static char text[STATUS_POOL_NAME];
    char own[16];
    size_t length;

    memcpy(text, peer->now->gauges.pool_name, sizeof(text) - 1);
    for (char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~')
            *c = '?';
    length = fmt_write(own, sizeof(own), "%u/", peer->uid);
    if (!peer->now->gauges.pool || !*text)
        return "-";
    return strncmp(text, own, length) == 0 ? text + length : text;
}

const char *peer_user(const struct peer *peer)
{
    static char number[16];
    const struct passwd *entry = getpwuid(peer->uid);

    if (entry)
        return entry->pw_name;
    fmt_write(number, sizeof(number), "%u", peer->uid);
    return number;
}
