/* SPDX-License-Identifier: MIT */
/* Writing and checking cost 0.1 to 0.3 us a page, so that they do not hide what a fault costs. */
#include "content.h"

#include "base/base.h"
#include "measure.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TYPICAL_STEP 64 /* one word in so many is the page's own */
#define HIGH_STEP    128

static enum { KIND_RANDOM, KIND_TYPICAL, KIND_HIGH } kind;
static const uint64_t *corpus;
static uint64_t corpus_pages;

static void load_corpus(const char *path)
{
    struct stat status;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *memory = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size >= (off_t)PAGE_SIZE)
        memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (memory == MAP_FAILED)
        die("typical content needs a recorded heap: --corpus FILE");
    close(fd);
    corpus = memory;
    corpus_pages = (uint64_t)status.st_size / PAGE_SIZE;
}

bool content_choose(const char *name, const char *path)
{
    static const char *const names[] = {"random", "typical", "high"};

    for (unsigned i = 0; i < array_size(names); i++)
        if (strcmp(name, names[i]) == 0) {
            kind = i;
            if (kind == KIND_TYPICAL)
                load_corpus(path);
            return true;
        }
    return false;
}

/* Without a pattern that a compressor finds. */
static inline uint64_t own_word(uint64_t tag, uint64_t i)
{
    uint64_t x = (tag + i) * 0x9e3779b97f4a7c15u;

    return x ^ (x >> 32);
}

/* Neighbours have tags of all kinds; those of one write of them are 1 apart in the low bits. */
static inline const uint64_t *corpus_page(uint64_t tag)
{
    return corpus + tag % corpus_pages * CONTENT_WORDS;
}

static inline uint64_t high_word(uint64_t tag, uint64_t i)
{
    return i % HIGH_STEP ? (tag & 7) + i % 8 : own_word(tag, i);
}

void content_write(uint64_t words[CONTENT_WORDS], uint64_t tag)
{
    if (kind == KIND_RANDOM) {
        for (uint64_t i = 0; i < CONTENT_WORDS; i++)
            words[i] = own_word(tag, i);
    } else if (kind == KIND_TYPICAL) {
        memcpy(words, corpus_page(tag), PAGE_SIZE);
        for (uint64_t i = 0; i < CONTENT_WORDS; i += TYPICAL_STEP)
            words[i] = own_word(tag, i);
    } else {
        for (uint64_t i = 0; i < CONTENT_WORDS; i++)
            words[i] = high_word(tag, i);
    }
}

static bool typical_is(const uint64_t *words, uint64_t tag)
{
    const uint64_t *like = corpus_page(tag);
    bool right = true;

    for (uint64_t i = 0; i < CONTENT_WORDS; i += TYPICAL_STEP)
        right = right && words[i] == own_word(tag, i) &&
                memcmp(words + i + 1, like + i + 1, (TYPICAL_STEP - 1) * sizeof(*words)) == 0;
    return right;
}

bool content_is(const uint64_t words[CONTENT_WORDS], uint64_t tag)
{
    uint64_t wrong = 0;

    if (kind == KIND_TYPICAL)
        return typical_is(words, tag);
    if (kind == KIND_RANDOM)
        for (uint64_t i = 0; i < CONTENT_WORDS; i++)
            wrong |= words[i] ^ own_word(tag, i);
    else
        for (uint64_t i = 0; i < CONTENT_WORDS; i++)
            wrong |= words[i] ^ high_word(tag, i);
    return !wrong;
}
