/* SPDX-License-Identifier: MIT */
/*
 * A module is reported to libdwfl with the address that it had in the process. One whose file has
 * another build-id by now has no names: they would be wrong.
 */
#include "symbols.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_NAMES "for names of functions, install libdw (elfutils; Debian: libdw1)"

#ifdef USWAP_DWFL
#include <elfutils/libdwfl.h>

#define FUNCTIONS(use)                                                                             \
    use(dwfl_begin) use(dwfl_end) use(dwfl_report_begin) use(dwfl_report_elf) use(dwfl_report_end) \
        use(dwfl_addrmodule) use(dwfl_module_addrname) use(dwfl_module_getsrc) use(dwfl_lineinfo)  \
            use(dwfl_module_build_id) use(dwfl_standard_find_debuginfo)                            \
                use(dwfl_build_id_find_elf) use(dwfl_offline_section_address)

#define DECLARE(name) __typeof__(name) *name;
static struct {
    void *library;
    FUNCTIONS(DECLARE)
} dw;

static Dwfl *dwfl;
static Dwfl_Callbacks callbacks;
static char *(*demangle)(const char *, char *, size_t *, int *);

static bool load_library(void)
{
    void *cxx;

    dw.library = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!dw.library)
        return false;
#define LOAD(name) dw.name = (__typeof__(dw.name))dlsym(dw.library, #name);
    FUNCTIONS(LOAD)
#define CHECK(name) &&dw.name
    if (!(true FUNCTIONS(CHECK)))
        return false;
    cxx = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
    if (cxx)
        demangle = (__typeof__(demangle))dlsym(cxx, "__cxa_demangle");
    return true;
}

/* What is to be added to the addresses in a file for where its executable segment lies; false: the
 * file cannot be read. */
static bool find_bias(const struct module *module, uint64_t *bias)
{
    ElfW(Ehdr) head;
    ElfW(Phdr) segment;
    int fd = open(module->path, O_RDONLY | O_CLOEXEC);
    bool found = false;

    if (fd >= 0 && pread(fd, &head, sizeof(head), 0) == sizeof(head) &&
        memcmp(head.e_ident, ELFMAG, SELFMAG) == 0)
        for (unsigned i = 0; i < head.e_phnum && !found; i++) {
            if (pread(fd, &segment, sizeof(segment), (off_t)(head.e_phoff + i * sizeof(segment))) !=
                sizeof(segment))
                break;
            found = segment.p_type == PT_LOAD &&
                    align_down(segment.p_offset, PAGE_SIZE) == module->offset &&
                    segment.p_flags & PF_X;
        }
    if (fd >= 0)
        close(fd);
    *bias = module->first - align_down(found ? segment.p_vaddr : 0, PAGE_SIZE);
    return found;
}

static bool same_id(Dwfl_Module *reported, const char *id)
{
    const unsigned char *bits;
    GElf_Addr address;
    int length = dw.dwfl_module_build_id(reported, &bits, &address);
    char text[64] = "-";

    for (int i = 0; i < length && 2 * i + 2 < (int)sizeof(text); i++)
        snprintf(text + 2 * i, 3, "%02x", bits[i]);
    return strcmp(id, "-") == 0 || length <= 0 || strcmp(id, text) == 0;
}

const char *symbols_open(const struct trace *trace)
{
    unsetenv("DEBUGINFOD_URLS"); /* no network */
    if (!load_library())
        return NO_NAMES;
    callbacks = (Dwfl_Callbacks){.find_elf = dw.dwfl_build_id_find_elf,
                                 .find_debuginfo = dw.dwfl_standard_find_debuginfo,
                                 .section_address = dw.dwfl_offline_section_address};
    dwfl = dw.dwfl_begin(&callbacks);
    if (!dwfl)
        return NO_NAMES;
    dw.dwfl_report_begin(dwfl);
    for (size_t i = 0; i < trace->module_count; i++) {
        uint64_t bias;
        if (find_bias(&trace->modules[i], &bias))
            dw.dwfl_report_elf(dwfl, trace->modules[i].path, trace->modules[i].path, -1, bias,
                               false);
    }
    dw.dwfl_report_end(dwfl, NULL, NULL);
    return NULL;
}

void symbols_close(void)
{
    if (dwfl)
        dw.dwfl_end(dwfl);
}

static void write_name(const char *name, char *function, size_t size)
{
    char *readable =
        demangle && strncmp(name, "_Z", 2) == 0 ? demangle(name, NULL, NULL, NULL) : NULL;

    snprintf(function, size, "%s", readable ? readable : name);
    function[strcspn(function, "@")] = '\0'; /* the version of a symbol */
    free(readable);
}

static void find_name(const struct module *module, uint64_t address, char *function,
                      size_t function_size, char *place, size_t place_size)
{
    Dwfl_Module *reported = dwfl ? dw.dwfl_addrmodule(dwfl, address) : NULL;
    const char *name, *file;
    Dwfl_Line *line;
    int number = 0;

    if (!reported || !same_id(reported, module->id))
        return;
    name = dw.dwfl_module_addrname(reported, address);
    if (name)
        write_name(name, function, function_size);
    line = dw.dwfl_module_getsrc(reported, address);
    file = line ? dw.dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
    if (file)
        snprintf(place, place_size, "%s:%d", file, number);
}

#else

const char *symbols_open(const struct trace *trace)
{
    return "uswap was built without libdw (elfutils): functions have no names";
}

void symbols_close(void)
{
}

static void find_name(const struct module *module, uint64_t address, char *function,
                      size_t function_size, char *place, size_t place_size)
{
}

#endif

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

const struct module *symbols_find(const struct trace *trace, uint64_t address, char *function,
                                  size_t function_size, char *place, size_t place_size)
{
    for (size_t i = trace->module_count; i-- > 0;) {
        const struct module *module = &trace->modules[i];
        if (address < module->first || address >= module->end)
            continue;
        snprintf(place, place_size, "%s+%#lx", base_name(module->path),
                 (unsigned long)(address - module->first + module->offset));
        snprintf(function, function_size, "?");
        find_name(module, address, function, function_size, place, place_size);
        return module;
    }
    snprintf(function, function_size, "?");
    snprintf(place, place_size, "%#lx", (unsigned long)address);
    return NULL;
}
