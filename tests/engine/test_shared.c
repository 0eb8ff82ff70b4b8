/* SPDX-License-Identifier: MIT */
/* Shared regions: what each function promises. Processes at the same time: test_sharing.c. */
#include "shared_kit.h"

#include "shared/attach.h"
#include "shared/member.h"
#include "shared/object.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void *plain; /* for processes of a case to tell each other something */
static atomic_bool touched;

static void exit_at_once(unsigned unused)
{
}

static void write_all(unsigned tag)
{
    engine_fill(join_region(0), SHARED_SIZE, tag);
}

static void read_all(unsigned tag)
{
    engine_verify(join_region(USWAP_SHARED_READ_ONLY), SHARED_SIZE, tag);
}

/* One after the other: what one wrote is there for the next, though the first has ended. */
static void content_outlives_its_writer(uint64_t object_size)
{
    make_region(SHARED_SIZE, SHARED_RAM, object_size);
    for (unsigned tag = 1; tag <= 3; tag++) {
        expect(wait_for_child(start_child(write_all, tag)) == 0);
        expect(wait_for_child(start_child(read_all, tag)) == 0);
    }
    /* The table of the region is in the file, too. */
    expect(region_resident() <= SHARED_RAM + MIB / 2, "%lu", region_resident());
    remove_region();
}

static void a_process_counts_what_it_does(uint64_t unused)
{
    struct uswap_stats stats;
    char *memory;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(0);
    engine_fill(memory, SHARED_SIZE, 1);
    stats = engine_stats();
    expect(stats.faults_major == 0 && stats.faults_minor > 0 && stats.bytes_read == 0);
    expect(stats.objects_evicted >= (SHARED_SIZE - SHARED_RAM) / SHARED_OBJECT_SIZE);
    expect(stats.bytes_written >= SHARED_SIZE - SHARED_RAM);
    engine_verify(memory, SHARED_SIZE, 1);
    expect(engine_stats().faults_major > 0);
    expect(engine_stats().bytes_read >= SHARED_SIZE - SHARED_RAM);
    expect(engine_stats().io_errors == 0 && engine_stats().objects_poisoned == 0);
    remove_region();
}

static void new_memory_is_zero(uint64_t unused)
{
    make_region(SHARED_SIZE, SHARED_RAM, 0);
    engine_verify_zero(join_region(0), SHARED_SIZE);
    remove_region();
}

/* What is written and then all zero again needs no place. */
static void zeros_are_not_stored(uint64_t unused)
{
    char *memory;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(0);
    engine_fill(memory, SHARED_SIZE, 1);
    memset(memory, 0, SHARED_SIZE);
    engine_verify_zero(memory, SHARED_SIZE);
    expect(uswap_shared_detach(memory) == 0);
    remove_region();
}

static void read_only_is_read_only(uint64_t unused)
{
    char *memory, *writable;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(USWAP_SHARED_READ_ONLY);
    writable = join_region(0);
    engine_fill(writable, SHARED_SIZE, 1);
    engine_verify(memory, SHARED_SIZE, 1);
    remove_region();
    engine_reached();
    memory[SHARED_SIZE / 2] = 1;
}

static void a_region_goes_where_it_is_asked_to(uint64_t unused)
{
    void *place = mmap(NULL, SHARED_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *address = place, *odd = (char *)place + 1;
    size_t size;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    start_once();
    engine_keep_messages();
    expect(uswap_shared_attach(region_name(), 0, &odd, &size) == -EINVAL);
    expect(uswap_shared_attach(region_name(), 0, &address, &size) == -EEXIST);
    munmap(place, SHARED_SIZE);
    expect(uswap_shared_attach(region_name(), 0, &address, &size) == 0);
    expect(address == place && size == SHARED_SIZE);
    engine_fill(address, size, 1);
    engine_verify(address, size, 1);
    expect(uswap_shared_detach(odd) == -EINVAL);
    expect(uswap_shared_detach(address) == 0);
    expect(uswap_shared_detach(address) == -EINVAL);
    remove_region();
}

static unsigned lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    unsigned lines = 0;

    expect(file);
    for (int c = fgetc(file); c != EOF; c = fgetc(file))
        lines += c == '\n';
    fclose(file);
    return lines;
}

static unsigned open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    expect(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void attach_and_detach(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        char *memory = join_region(i % 2 ? USWAP_SHARED_READ_ONLY : 0);
        (void)*(volatile char *)memory;
        expect(uswap_shared_detach(memory) == 0);
    }
}

static void attaching_again_and_again_leaks_nothing(uint64_t unused)
{
    unsigned descriptors, mappings;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    attach_and_detach(4);
    descriptors = open_descriptors();
    mappings = lines_of("/proc/self/maps");
    attach_and_detach(100);
    expect(open_descriptors() == descriptors, "%u, %u", open_descriptors(), descriptors);
    expect(lines_of("/proc/self/maps") <= mappings + 2, "%u, %u", lines_of("/proc/self/maps"),
           mappings);
    remove_region();
}

static void a_detached_region_is_gone(uint64_t unused)
{
    char *memory;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(0);
    memory[0] = 1;
    expect(uswap_shared_detach(memory) == 0);
    remove_region();
    engine_reached();
    memory[0] = 2;
}

static void wrong_regions_are_refused(uint64_t unused)
{
    struct uswap_shared_options options = region_options(SHARED_SIZE, SHARED_RAM), wrong;
    void *address = NULL;

    start_once();
    engine_keep_messages();
    expect(uswap_shared_create("a/b", &options) == -EINVAL);
    expect(uswap_shared_create("", &options) == -EINVAL);
    expect(uswap_shared_create(".a", &options) == -EINVAL);
    wrong = options, wrong.size = 0;
    expect(uswap_shared_create(region_name(), &wrong) == -EINVAL);
    wrong = options, wrong.ram = MIB / 2;
    expect(uswap_shared_create(region_name(), &wrong) == -EINVAL && engine_said("512K", "1M"));
    wrong = options, wrong.object_size = 12 * KIB;
    expect(uswap_shared_create(region_name(), &wrong) == -EINVAL);
    wrong = options, wrong.swap = "/does/not/exist";
    expect(uswap_shared_create(region_name(), &wrong) == -ENOENT);
    wrong = options, wrong.size = UINT64_C(1) << 50;
    expect(uswap_shared_create(region_name(), &wrong) < 0);
    expect(uswap_shared_attach(region_name(), 0, &address, NULL) == -ENOENT);
    expect(engine_said(region_name(), "there is no such region"));
    expect(uswap_shared_attach(region_name(), 2, &address, NULL) == -EINVAL);
    expect(uswap_shared_unlink(region_name()) == -ENOENT);
    make_region(SHARED_SIZE, SHARED_RAM, 0);
    expect(uswap_shared_create(region_name(), &options) == -EEXIST);
    remove_region();
}

/* Everybody who has it goes on, and then nothing is left. */
static void unlinking_leaves_who_has_it_alone(uint64_t unused)
{
    char *memory;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(0);
    engine_fill(memory, SHARED_SIZE, 1);
    remove_region();
    engine_verify(memory, SHARED_SIZE, 1);
    engine_fill(memory, SHARED_SIZE, 2);
    engine_verify(memory, SHARED_SIZE, 2);
}

static int region_file(void)
{
    char path[SHARED_PATH_MAX];

    shared_name_path(region_name(), path);
    return open(path, O_RDWR | O_CLOEXEC);
}

static void a_damaged_file_is_refused(uint64_t offset)
{
    void *address = NULL;
    unsigned char byte;
    int fd;

    start_once();
    engine_keep_messages();
    make_region(SHARED_SIZE, SHARED_RAM, 0);
    fd = region_file();
    expect(pread(fd, &byte, 1, (off_t)offset) == 1);
    byte ^= 1;
    expect(pwrite(fd, &byte, 1, (off_t)offset) == 1);
    expect(uswap_shared_attach(region_name(), 0, &address, NULL) == -EBADMSG);
    expect(engine_said("region", ""));
    expect(ftruncate(fd, 100) == 0);
    expect(uswap_shared_attach(region_name(), 0, &address, NULL) == -EBADMSG);
    byte ^= 1;
    close(fd);
    /* The name stays in the way of nobody: it can be removed by hand; the store, too. */
    char store[SHARED_PATH_MAX];
    snprintf(store, sizeof(store), "%s/uswap-region-%u-%s.swap", engine_directory(), geteuid(),
             region_name());
    expect(unlink(store) == 0);
}

/* A byte of the store has changed: its object is lost, and nothing else. */
static void a_flipped_byte_is_told(uint64_t unused)
{
    char store[SHARED_PATH_MAX], *memory;
    unsigned char byte;
    int fd;

    engine_catch_faults();
    engine_keep_messages();
    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(0);
    engine_fill(memory, SHARED_SIZE, 1);
    snprintf(store, sizeof(store), "%s/uswap-region-%u-%s.swap", engine_directory(), geteuid(),
             region_name());
    fd = open(store, O_RDWR | O_CLOEXEC);
    expect(fd >= 0 && pread(fd, &byte, 1, 12345) == 1);
    byte ^= 16;
    expect(pwrite(fd, &byte, 1, 12345) == 1 && fsync(fd) == 0);
    close(fd);
    expect(engine_probe(memory) == SIGBUS);
    expect(engine_said("offset 0", "lost"));
    expect(engine_probe(memory + SHARED_OBJECT_SIZE) == 0);
    remove_region();
}

/* System calls work on what is pinned. */
static void pinned_memory_can_be_read_into(uint64_t unused)
{
    char path[256], *memory;
    int fd;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(0);
    engine_fill(memory, SHARED_SIZE, 1);
    snprintf(path, sizeof(path), "%s/data", engine_directory());
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    expect(write(fd, memory, MIB) < 0 && errno == EFAULT);
    expect(uswap_pin(memory, MIB) == 0);
    engine_verify(memory + MIB, 0, 1);
    for (size_t at = MIB; at < SHARED_SIZE; at += PAGE_SIZE)
        (void)*(volatile char *)(memory + at);
    expect(write(fd, memory, MIB) == MIB);
    expect(pread(fd, memory, MIB, 0) == MIB);
    uswap_unpin(memory, MIB);
    engine_verify(memory, SHARED_SIZE, 1);
    expect(uswap_pin(memory, SHARED_SIZE) == -ENOMEM, "more than half of the budget");
    close(fd);
    unlink(path);
    remove_region();
}

/* The kernel does not let go of locked memory by itself. Under a sanitizer locking does nothing. */
static void locked_memory_loses_nothing(uint64_t unused)
{
    char *memory;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    expect(wait_for_child(start_child(write_all, 1)) == 0);
    start_once();
    expect(mlockall(MCL_FUTURE) == 0);
    memory = join_region(0);
    expect(munlockall() == 0);
    engine_verify(memory, SHARED_SIZE, 1);
    mlock(memory, SHARED_SIZE);
    engine_fill(memory, SHARED_SIZE, 2);
    engine_verify(memory, SHARED_SIZE, 2);
    expect(region_resident() <= SHARED_RAM + MIB / 2, "%lu", region_resident());
    remove_region();
}

static void pins_leave_room_for_faults(uint64_t unused)
{
    uint64_t piece = SHARED_RAM / 8, pinned = 0;
    char *memory;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(0);
    while (uswap_pin(memory + pinned, piece) == 0)
        pinned += piece;
    expect(pinned == SHARED_RAM / 2, "%lu", pinned);
    engine_fill(memory, SHARED_SIZE, 1);
    engine_verify(memory, SHARED_SIZE, 1);
    uswap_unpin(memory, piece);
    expect(uswap_pin(memory + SHARED_SIZE - piece, piece) == 0);
    remove_region();
}

/* Its word says that somebody owns the object whose number nobody can have. */
static void a_damaged_word_hurts_its_object_only(uint64_t unused)
{
    uint32_t word = 70u << 8 | 1;
    char *memory;
    int fd;

    engine_catch_faults();
    engine_keep_messages();
    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(0);
    fd = region_file();
    expect(pwrite(fd, &word, sizeof(word),
                  offsetof(struct shared_file, objects) + 7 * sizeof(struct shared_object)) == 4);
    close(fd);
    expect(engine_probe(memory + 7 * SHARED_OBJECT_SIZE) == SIGBUS);
    engine_fill(memory, 7 * SHARED_OBJECT_SIZE, 1);
    engine_verify(memory, 7 * SHARED_OBJECT_SIZE, 1);
    remove_region();
}

/* ---- A member that is stopped ---- */

static void attach_and_rest(unsigned unused)
{
    _Atomic unsigned *ready = plain;

    join_region(0);
    atomic_store(ready, (unsigned)getpid());
    for (;;)
        pause();
}

static struct shared_file *map_header(void)
{
    int fd = region_file();
    void *file = mmap(NULL, 128 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    expect(file != MAP_FAILED);
    close(fd);
    return file;
}

static unsigned number_of(const struct shared_file *file, pid_t pid)
{
    unsigned number = 0;

    while (number < SHARED_MEMBERS && file->members[number].pid != (uint32_t)pid)
        number++;
    expect(number < SHARED_MEMBERS);
    return number;
}

static void *touch(void *byte)
{
    expect(*(volatile char *)byte == 0);
    atomic_store(&touched, true);
    return NULL;
}

static void *pin(void *memory)
{
    expect(uswap_pin(memory, 1) == 0);
    return touch(memory);
}

/* The word of an object as it is when its owner is stopped while it brings it in. What the process
 * does meanwhile, fork and detach, does not wait for that. */
static void a_wait_for_a_stopped_one_holds_up_nothing(void *(*wait)(void *))
{
    struct shared_file *file;
    char name[32];
    char *memory, *other;
    pthread_t thread;
    pid_t child;

    plain = plain_memory(PAGE_SIZE);
    make_region(SHARED_SIZE, SHARED_RAM, 0);
    engine_keep_messages();
    shared_say_waits = 5;
    child = start_child(attach_and_rest, 0);
    while (!atomic_load((_Atomic unsigned *)plain))
        usleep(1000);
    memory = join_region(0);
    other = join_region(0);
    file = map_header();
    kill(child, SIGSTOP);
    atomic_store(&file->objects[3].word, (number_of(file, child) + 1) << SHARED_OWNER);
    expect(pthread_create(&thread, NULL, wait, memory + 3 * SHARED_OBJECT_SIZE) == 0);
    usleep(300000);
    expect(wait_for_child(start_child(exit_at_once, 0)) == 0);
    expect(uswap_shared_detach(other) == 0);
    expect(!atomic_load(&touched));
    snprintf(name, sizeof(name), "process %d ", child);
    expect(engine_said(name, "stopped perhaps"));
    atomic_store(&file->objects[3].word, SHARED_EMPTY);
    expect(pthread_join(thread, NULL) == 0 && atomic_load(&touched));
    kill_child(child);
    remove_region();
}

static void a_fault_that_waits_holds_up_nothing(uint64_t unused)
{
    a_wait_for_a_stopped_one_holds_up_nothing(touch);
}

static void a_pin_that_waits_holds_up_nothing(uint64_t unused)
{
    a_wait_for_a_stopped_one_holds_up_nothing(pin);
}

/* As it is when its owner is stopped while it writes the object out: who wants it has it at once.
 * It stays in memory until the stopped one can no longer write what it was. */
static void what_a_stopped_one_writes_can_be_used(uint64_t unused)
{
    uint64_t last = SHARED_SIZE / SHARED_OBJECT_SIZE - 1, offset = last * SHARED_OBJECT_SIZE;
    struct shared_object *object;
    struct shared_file *file;
    unsigned number;
    char *memory;
    pid_t child;

    plain = plain_memory(PAGE_SIZE);
    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(0);
    engine_fill(memory, SHARED_SIZE, 1);
    expect(uswap_shared_detach(memory) == 0);
    child = start_child(attach_and_rest, 0);
    while (!atomic_load((_Atomic unsigned *)plain))
        usleep(1000);
    kill(child, SIGSTOP);
    file = map_header();
    object = &file->objects[last];
    number = number_of(file, child);
    expect(shared_state_of(object->word) == SHARED_RESIDENT && !object->mapped);
    atomic_store(&object->writer, number + 1);
    atomic_store(&object->word, (number + 1) << SHARED_OWNER | SHARED_EVICTING);
    memory = join_region(0);
    engine_verify(memory, SHARED_SIZE, 1);
    engine_fill(memory + offset, SHARED_OBJECT_SIZE, 2);
    for (unsigned turn = 0; turn < 4; turn++)
        engine_verify(memory, offset, 1);
    expect(object->writer == number + 1 && !(object->word & SHARED_COPY), "it has not left: %x",
           object->word);
    engine_verify(memory + offset, SHARED_OBJECT_SIZE, 2);
    kill_child(child);
    for (unsigned i = 0; i < 100 && object->word != (SHARED_STORED | SHARED_COPY); i++)
        engine_verify(memory, offset, 1);
    expect(object->word == (SHARED_STORED | SHARED_COPY) && !object->writer, "%x", object->word);
    engine_verify(memory + offset, SHARED_OBJECT_SIZE, 2);
    remove_region();
}

/* Somebody died who had the lock of the count, and its place may have been taken since. */
static void the_lock_of_the_dead_is_inherited(uint64_t unused)
{
    struct shared_file *file;
    char *memory;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(0);
    file = map_header();
    engine_fill(memory, SHARED_SIZE / 2, 1);
    atomic_store(&file->used, 12345678);
    atomic_store(&file->room_lock, 7u << 8 | 6);
    engine_fill(memory, SHARED_SIZE, 1);
    engine_verify(memory, SHARED_SIZE, 1);
    expect(atomic_load(&file->used) <= SHARED_RAM >> PAGE_SHIFT, "%lu", atomic_load(&file->used));
    remove_region();
}

static void a_region_without_its_store_can_be_removed(uint64_t unused)
{
    char store[SHARED_PATH_MAX];

    engine_keep_messages();
    make_region(SHARED_SIZE, SHARED_RAM, 0);
    snprintf(store, sizeof(store), "%s/uswap-region-%u-%s.swap", engine_directory(), geteuid(),
             region_name());
    expect(unlink(store) == 0);
    remove_region();
}

/* ---- Stores that stay ---- */

static char *store_path(void)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/kept", engine_directory());
    return path;
}

static _Atomic unsigned *found;

static void die_before_the_child(unsigned tag)
{
    pid_t self = getpid();

    write_all(tag);
    if (fork() != 0)
        raise(SIGKILL);
    while (getppid() == self)
        nap_us(1000);
    for (unsigned look = 0; look < 500 && member_reap_all(shared_attached[0]); look++)
        nap_us(10000);
    atomic_store(found, member_reap_all(shared_attached[0]) ? 1 : 2);
    _exit(0);
}

/* The dead is found dead, and what it was at is finished, though a child of it lives. */
static void a_parent_dies_before_its_child(uint64_t unused)
{
    found = plain_memory(PAGE_SIZE);
    make_region(SHARED_SIZE, SHARED_RAM, 0);
    expect(wait_for_child(start_child(die_before_the_child, 3)) == 128 + SIGKILL);
    for (unsigned look = 0; look < 1000 && !atomic_load(found); look++)
        nap_us(10000);
    expect(atomic_load(found) == 2, "%u", atomic_load(found));
    expect(wait_for_child(start_child(read_all, 3)) == 0);
    remove_region();
}

static int make_kept(uint64_t size)
{
    struct uswap_shared_options options = region_options(size, SHARED_RAM);

    options.persist = store_path();
    return uswap_shared_create(region_name(), &options);
}

static void write_and_detach(unsigned tag)
{
    void *memory = join_region(0);

    engine_fill(memory, SHARED_SIZE, tag);
    expect(uswap_shared_detach(memory) == 0);
}

static void write_and_die(unsigned tag)
{
    write_all(tag);
    raise(SIGKILL);
}

static void a_store_stays_when_it_is_asked_to(uint64_t unused)
{
    expect(make_kept(SHARED_SIZE) == 0);
    expect(wait_for_child(start_child(write_and_detach, 1)) == 0);
    remove_region();
    expect(make_kept(0) == 0, "the file says how large it is");
    expect(wait_for_child(start_child(read_all, 1)) == 0);
    /* Who has died has left all in /dev/shm: removing makes the store whole. */
    expect(wait_for_child(start_child(write_and_die, 2)) == 128 + SIGKILL);
    remove_region();
    engine_keep_messages();
    expect(make_kept(SHARED_SIZE / 2) == -EINVAL && engine_said("", "another size"));
    expect(make_kept(SHARED_SIZE) == 0);
    expect(wait_for_child(start_child(read_all, 2)) == 0);
    remove_region();
    unlink(store_path());
}

/* As after a power failure: what was in /dev/shm is gone. */
static void a_store_that_is_not_whole_is_refused(uint64_t unused)
{
    char path[SHARED_PATH_MAX];

    engine_keep_messages();
    expect(make_kept(SHARED_SIZE) == 0);
    expect(wait_for_child(start_child(write_and_die, 1)) == 128 + SIGKILL);
    shared_name_path(region_name(), path);
    expect(unlink(path) == 0);
    expect(make_kept(0) == -EUCLEAN);
    expect(engine_said("in use when the machine stopped", ""));
    unlink(store_path());
}

/* Two regions of one file: who comes second does not see what the other wrote as its own. */
static void a_store_that_another_has_used_is_refused(uint64_t unused)
{
    struct uswap_shared_options options = region_options(0, SHARED_RAM);
    char other[64];
    void *address = NULL;

    options.persist = store_path();
    snprintf(other, sizeof(other), "%s-2", region_name());
    start_once();
    engine_keep_messages();
    expect(make_kept(SHARED_SIZE) == 0);
    expect(wait_for_child(start_child(write_and_detach, 1)) == 0);
    expect(uswap_shared_create(other, &options) == 0);
    expect(uswap_shared_attach(other, 0, &address, NULL) == 0);
    engine_verify(address, SHARED_SIZE, 1);
    expect(uswap_shared_detach(address) == 0);
    address = NULL;
    expect(uswap_shared_attach(region_name(), 0, &address, NULL) == -ESTALE);
    remove_region();
    expect(uswap_shared_unlink(other) == 0);
    unlink(store_path());
}

static void a_file_that_is_no_store_is_left_alone(uint64_t unused)
{
    int fd = open(store_path(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat status;

    engine_keep_messages();
    expect(write(fd, "precious", 8) == 8 && ftruncate(fd, MIB) == 0);
    expect(make_kept(SHARED_SIZE) == -EBADMSG);
    expect(fstat(fd, &status) == 0 && status.st_size == MIB);
    close(fd);
    unlink(store_path());
}

/* ---- Other users ---- */

static void become_nobody_and_attach(unsigned unused)
{
    char name[64];
    void *address = NULL;

    expect(setgid(65534) == 0 && setuid(65534) == 0);
    snprintf(name, sizeof(name), "0/%s", region_name());
    start_once();
    engine_keep_messages();
    expect(uswap_shared_attach(name, 0, &address, NULL) == -EACCES);
    expect(uswap_shared_unlink(name) == -EACCES);
}

static void the_mode_says_who_may(uint64_t unused)
{
    if (geteuid())
        return;
    expect(chmod(engine_directory(), 0777) == 0);
    make_region(SHARED_SIZE, SHARED_RAM, 0);
    expect(wait_for_child(start_child(become_nobody_and_attach, 0)) == 0);
    remove_region();
}

#define HEADER(field) offsetof(struct shared_file, field)

static const struct engine_case cases[] = {
    {.name = "content_outlives_its_writer_4k",
     .run = content_outlives_its_writer,
     .parameter = 4 * KIB},
    {.name = "content_outlives_its_writer_16k",
     .run = content_outlives_its_writer,
     .parameter = 16 * KIB},
    {.name = "content_outlives_its_writer_256k",
     .run = content_outlives_its_writer,
     .parameter = 256 * KIB},
    {.name = "a_process_counts_what_it_does", .run = a_process_counts_what_it_does},
    {.name = "new_memory_is_zero", .run = new_memory_is_zero},
    {.name = "zeros_are_not_stored", .run = zeros_are_not_stored},
    {.name = "read_only_is_read_only", .run = read_only_is_read_only, .signal = SIGSEGV},
    {.name = "a_region_goes_where_it_is_asked_to", .run = a_region_goes_where_it_is_asked_to},
    {.name = "a_detached_region_is_gone", .run = a_detached_region_is_gone, .signal = SIGSEGV},
    {.name = "wrong_regions_are_refused", .run = wrong_regions_are_refused},
    {.name = "attaching_again_and_again_leaks_nothing",
     .run = attaching_again_and_again_leaks_nothing},
    {.name = "unlinking_leaves_who_has_it_alone", .run = unlinking_leaves_who_has_it_alone},
    {.name = "a_damaged_file_is_refused_magic",
     .run = a_damaged_file_is_refused,
     .parameter = HEADER(magic)},
    {.name = "a_damaged_file_is_refused_layout",
     .run = a_damaged_file_is_refused,
     .parameter = HEADER(layout)},
    {.name = "a_damaged_file_is_refused_size",
     .run = a_damaged_file_is_refused,
     .parameter = HEADER(size) + 3},
    {.name = "a_flipped_byte_is_told", .run = a_flipped_byte_is_told},
    {.name = "pinned_memory_can_be_read_into", .run = pinned_memory_can_be_read_into},
    {.name = "a_parent_dies_before_its_child", .run = a_parent_dies_before_its_child},
    {.name = "a_store_stays_when_it_is_asked_to", .run = a_store_stays_when_it_is_asked_to},
    {.name = "a_store_that_is_not_whole_is_refused", .run = a_store_that_is_not_whole_is_refused},
    {.name = "a_file_that_is_no_store_is_left_alone", .run = a_file_that_is_no_store_is_left_alone},
    {.name = "locked_memory_loses_nothing", .run = locked_memory_loses_nothing},
    {.name = "pins_leave_room_for_faults", .run = pins_leave_room_for_faults},
    {.name = "a_damaged_word_hurts_its_object_only", .run = a_damaged_word_hurts_its_object_only},
    {.name = "a_fault_that_waits_holds_up_nothing",
     .run = a_fault_that_waits_holds_up_nothing,
     .seconds = 20},
    {.name = "a_pin_that_waits_holds_up_nothing",
     .run = a_pin_that_waits_holds_up_nothing,
     .seconds = 20},
    {.name = "what_a_stopped_one_writes_can_be_used", .run = what_a_stopped_one_writes_can_be_used},
    {.name = "the_lock_of_the_dead_is_inherited", .run = the_lock_of_the_dead_is_inherited},
    {.name = "a_region_without_its_store_can_be_removed",
     .run = a_region_without_its_store_can_be_removed},
    {.name = "a_store_that_another_has_used_is_refused",
     .run = a_store_that_another_has_used_is_refused},
    {.name = "the_mode_says_who_may", .run = the_mode_says_who_may},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
