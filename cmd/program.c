/* SPDX-License-Identifier: MIT */
/*
 * The dynamic linker preloads the library, so a program without one never has it: static ones, as
 * Go makes them. Nor does one with more rights than who starts it. A script has what its
 * interpreter has. This only decides about a warning: what cannot be read or understood gets none.
 */
#include "program.h"

#include "base/base.h"
#include "base/fmt.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if __SIZEOF_POINTER__ == 8
typedef Elf64_Ehdr elf_header;
typedef Elf64_Phdr elf_segment;
#else
typedef Elf32_Ehdr elf_header;
typedef Elf32_Phdr elf_segment;
#endif

/* The start of a file: program headers lie right behind the header, or it is no usual program. */
struct head {
    char bytes[4096] __attribute__((aligned(16)));
    size_t size;
    struct stat status;
};

static bool read_head(const char *path, struct head *head)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = -1;

    if (fd < 0)
        return false;
    if (fstat(fd, &head->status) == 0)
        size = pread(fd, head->bytes, sizeof(head->bytes) - 1, 0);
    close(fd);
    head->size = size > 0 ? (size_t)size : 0;
    head->bytes[head->size] = '\0';
    return head->size > 0;
}

/* Find a program as execvp() does. */
static bool find(const char *name, char path[PATH_MAX])
{
    const char *place = getenv("PATH");

    if (strchr(name, '/')) {
        fmt_write(path, PATH_MAX, "%s", name);
        return true;
    }
    for (place = place ? place : "/bin:/usr/bin"; *place; place += *place == ':') {
        size_t length = strcspn(place, ":");
        if (length + strlen(name) + 2 < PATH_MAX) {
            memcpy(path, place, length);
            fmt_write(path + length, PATH_MAX - length, "%s%s", length ? "/" : "", name);
            if (access(path, X_OK) == 0)
                return true;
        }
        place += length;
    }
    return false;
}

static bool is_static(const struct head *head)
{
    const elf_header *elf = (const void *)head->bytes;
    const elf_segment *segment = (const void *)(head->bytes + sizeof(*elf));

    if (head->size < sizeof(*elf) || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
        elf->e_ident[EI_CLASS] != (__SIZEOF_POINTER__ == 8 ? ELFCLASS64 : ELFCLASS32) ||
        elf->e_phoff != sizeof(*elf) || elf->e_phentsize != sizeof(*segment) ||
        head->size < sizeof(*elf) + elf->e_phnum * sizeof(*segment))
        return false;
    for (unsigned i = 0; i < elf->e_phnum; i++)
        if (segment[i].p_type == PT_INTERP)
            return false;
    return true;
}

static bool gains_rights(const struct stat *status)
{
    return ((status->st_mode & S_ISUID) && status->st_uid != getuid()) ||
           ((status->st_mode & S_ISGID) && status->st_gid != getgid());
}

/* Go on to the interpreter of a script. */
static bool read_interpreter(struct head *head)
{
    char path[PATH_MAX];
    size_t begin = 2 + strspn(head->bytes + 2, " \t");
    size_t length = strcspn(head->bytes + begin, " \t\n");

    if (length == 0 || length >= sizeof(path))
        return false;
    memcpy(path, head->bytes + begin, length);
    path[length] = '\0';
    return read_head(path, head);
}

const char *program_unswapped(const char *name)
{
    static struct head head;
    char path[PATH_MAX];

    if (!find(name, path) || !read_head(path, &head))
        return NULL;
    if (memcmp(head.bytes, "#!", 2) == 0 && !read_interpreter(&head))
        return NULL;
    if (is_static(&head))
        return "is linked statically";
    return gains_rights(&head.status) ? "runs with the rights of another user" : NULL;
}
