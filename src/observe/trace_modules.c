/* SPDX-License-Identifier: MIT */
/*
 * /proc/self/maps is read when a stack leads to where nothing was mapped, at most five times a
 * second, for it stops the program from mapping memory meanwhile. The build-id of a module is read
 * from its memory, where its file may have been replaced since; by process_vm_readv(), for a
 * truncated file is a fault there.
 */
#include "observe/trace_modules.h"

#include "base/fmt.h"
#include "base/sys.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/uio.h>

#define RANGES_MAX  512
#define INTERVAL_NS UINT64_C(200000000)
#define NOTES_MAX   512
#define HEADERS_MAX 16

static struct {
    struct {
        uint64_t first, end;
    } ranges[RANGES_MAX];
    unsigned count;
    bool unknown; /* an address outside of them has been seen */
    bool read;    /* ever */
    uint64_t last_ns;
} known;

void trace_modules_forget(void)
{
    memset(&known, 0, sizeof(known));
}

static bool is_known(uint64_t address)
{
    for (unsigned i = 0; i < known.count; i++)
        if (address >= known.ranges[i].first && address < known.ranges[i].end)
            return true;
    return false;
}

void trace_modules_look(const struct trace_record *records, uint32_t count)
{
    for (uint32_t i = 0; i < count; i += 1u + records[i].extra) {
        uint64_t instruction;
        if (!(records[i].flags & TRACE_STACK))
            continue;
        memcpy(&instruction, &records[i + 1], sizeof(instruction));
        known.unknown = known.unknown || !is_known(instruction);
    }
}

bool trace_modules_due(uint64_t now, bool at_once)
{
    if (!known.unknown || (known.read && !at_once && now - known.last_ns < INTERVAL_NS))
        return false;
    known.last_ns = now;
    return true;
}

/* ---- build-ids ---- */

static bool read_memory(uint64_t address, void *buffer, size_t size)
{
    struct iovec local = {buffer, size}, remote = {(void *)address, size};

    return sys_call(SYS_process_vm_readv, sys_call(SYS_getpid), &local, 1, &remote, 1, 0) ==
           (long)size;
}

/* Find the build-id among notes; false: it is not there. */
static bool find_id(const char *notes, size_t size, char text[64])
{
    for (size_t at = 0; at + sizeof(ElfW(Nhdr)) + 4 <= size;) {
        ElfW(Nhdr) note;
        size_t content;
        memcpy(&note, notes + at, sizeof(note));
        content = at + sizeof(note) + align_up(note.n_namesz, 4);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz <= 24 &&
            content + note.n_descsz <= size && memcmp(notes + at + sizeof(note), "GNU", 4) == 0) {
            for (uint32_t i = 0; i < note.n_descsz; i++)
                fmt_write(text + 2 * i, 3, "%02x", (unsigned char)notes[content + i]);
            return true;
        }
        at = content + align_up(note.n_descsz, 4);
    }
    return false;
}

/* The module whose file begins at this address. */
static void read_id(uint64_t base, char text[64])
{
    ElfW(Ehdr) head;
    ElfW(Phdr) segments[HEADERS_MAX];
    char notes[NOTES_MAX];
    unsigned count;

    fmt_write(text, 64, "-");
    if (!base || !read_memory(base, &head, sizeof(head)) ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_phentsize != sizeof(segments[0]))
        return;
    count = (unsigned)min_u64(head.e_phnum, HEADERS_MAX);
    if (!read_memory(base + head.e_phoff, segments, count * sizeof(segments[0])))
        return;
    for (unsigned i = 0; i < count; i++) {
        size_t size = min_u64(segments[i].p_filesz, sizeof(notes));
        if (segments[i].p_type == PT_NOTE &&
            read_memory(base + segments[i].p_offset, notes, size) && find_id(notes, size, text))
            return;
    }
}

/* ---- the list ---- */

/* A line of the kernel's list, taken apart. */
struct mapping {
    uint64_t first, end, offset;
    bool executable;
    const char *path;
};

static const char *read_hex(const char *text, uint64_t *value)
{
    *value = 0;
    for (;; text++) {
        if (*text >= '0' && *text <= '9')
            *value = *value << 4 | (uint64_t)(*text - '0');
        else if (*text >= 'a' && *text <= 'f')
            *value = *value << 4 | (uint64_t)(*text - 'a' + 10);
        else
            return text;
    }
}

/* FIRST-END rwxp OFFSET DEVICE INODE PATH */
static bool take_apart(const char *line, struct mapping *mapping)
{
    const char *at = read_hex(line, &mapping->first);

    if (*at != '-')
        return false;
    at = read_hex(at + 1, &mapping->end);
    if (strlen(at) < 6)
        return false;
    mapping->executable = at[3] == 'x';
    read_hex(at + 6, &mapping->offset);
    mapping->path = strchr(at, '/');
    return mapping->path != NULL;
}

/* Where the file of the lines now read begins. */
static struct {
    uint64_t base;
    char path[256];
} begun;

static size_t append_module(const struct mapping *mapping, char *text, size_t size)
{
    char id[64];
    bool whole;
    size_t length;

    read_id(strcmp(begun.path, mapping->path) == 0 ? begun.base : 0, id);
    length = fmt_write(text, size, "%lx %lx %lx %s %s\n", mapping->first, mapping->end,
                       mapping->offset, id, mapping->path);
    whole = length && text[length - 1] == '\n';
    return whole ? length : 0;
}

static size_t append_line(const char *line, char *text, size_t size)
{
    struct mapping mapping;

    if (!take_apart(line, &mapping))
        return 0;
    if (!mapping.offset) {
        begun.base = mapping.first;
        fmt_write(begun.path, sizeof(begun.path), "%s", mapping.path);
    }
    if (!mapping.executable || known.count == RANGES_MAX)
        return 0;
    known.ranges[known.count].first = mapping.first;
    known.ranges[known.count++].end = mapping.end;
    return append_module(&mapping, text, size);
}

/* Whole lines of what has been read; returns how much of it is left over, moved to the front. */
static size_t take_lines(char *buffer, size_t length, char *text, size_t size, size_t *used)
{
    char *line = buffer, *end = buffer + length, *stop;

    while ((stop = memchr(line, '\n', (size_t)(end - line)))) {
        *stop = '\0';
        *used += append_line(line, text + *used, size - *used);
        line = stop + 1;
    }
    memmove(buffer, line, (size_t)(end - line));
    return (size_t)(end - line);
}

size_t trace_modules_read(char *text, size_t size)
{
    static char buffer[8192];
    long fd = sys_call(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t left = 0, used = 0;
    long got;

    known.count = 0;
    known.unknown = false;
    known.read = true;
    while (fd >= 0 && left < sizeof(buffer) - 1 &&
           (got = sys_call(SYS_read, fd, buffer + left, sizeof(buffer) - 1 - left)) > 0)
        left = take_lines(buffer, left + (size_t)got, text, size, &used);
    if (fd >= 0)
        sys_call(SYS_close, fd);
    return used;
}
