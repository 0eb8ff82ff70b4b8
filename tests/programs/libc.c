/* SPDX-License-Identifier: MIT */
/*
 * libc SCALE: what libc does with memory from malloc, in the way of glibc's own tests: each part
 * builds something large with one family of functions, lets it lie while the others work, looks at
 * all of it again, and prints a sum. Knows nothing of uswap; the output must be that of a plain
 * run.
 */
#include <iconv.h>
#include <locale.h>
#include <malloc.h>
#include <obstack.h>
#include <pthread.h>
#include <regex.h>
#include <search.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <wchar.h>

#define obstack_chunk_alloc malloc
#define obstack_chunk_free  free

static size_t scale;

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "libc: %s went wrong\n", what);
    exit(1);
}

static void *checked(void *memory)
{
    require(memory != NULL, "an allocation");
    return memory;
}

static uint64_t add(uint64_t sum, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3;
    return sum;
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* ---- malloc and its family, by threads that free each other's blocks ---- */

#define THREADS 4

struct block {
    unsigned char *data;
    size_t size;
};

static struct block *blocks;
static pthread_barrier_t barrier;

static unsigned char *allocate(uint32_t *seed, size_t *size)
{
    unsigned char *data = NULL;

    *size = next(seed) % 8 ? next(seed) % 600 + 1 : next(seed) % 50000 + 1;
    switch (next(seed) % 5) {
    case 0:
        data = calloc(1, *size);
        break;
    case 1:
        require(posix_memalign((void **)&data, 256, *size) == 0, "posix_memalign");
        break;
    case 2:
        *size = (*size + 63) / 64 * 64;
        data = aligned_alloc(64, *size);
        break;
    case 3:
        data = realloc(checked(malloc(*size / 2 + 1)), *size);
        break;
    default:
        data = malloc(*size);
    }
    require(malloc_usable_size(checked(data)) >= *size, "malloc_usable_size");
    return data;
}

static void *churn(void *argument)
{
    size_t own = (size_t)(uintptr_t)argument, count = scale * 150;
    uint32_t seed = (uint32_t)own + 1;

    for (size_t i = own; i < count; i += THREADS) {
        blocks[i].data = allocate(&seed, &blocks[i].size);
        memset(blocks[i].data, (int)(i % 251), blocks[i].size);
    }
    pthread_barrier_wait(&barrier);
    for (size_t i = (own + 1) % THREADS; i < count; i += THREADS) {
        size_t size = blocks[i].size;
        for (size_t k = 0; k < size; k++)
            require(blocks[i].data[k] == i % 251, "a block of another thread");
        blocks[i].data = checked(realloc(blocks[i].data, size * 2));
        memset(blocks[i].data + size, (int)(i % 251), size);
        blocks[i].size = size * 2;
        if (i % 3 == 0) {
            free(blocks[i].data);
            blocks[i] = (struct block){0};
        }
    }
    return NULL;
}

static void make_blocks(void)
{
    pthread_t threads[THREADS];

    blocks = checked(calloc(scale * 150, sizeof(*blocks)));
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (uintptr_t t = 0; t < THREADS; t++)
        require(!pthread_create(&threads[t], NULL, churn, (void *)t), "pthread_create");
    for (int t = 0; t < THREADS; t++)
        require(!pthread_join(threads[t], NULL), "pthread_join");
}

static uint64_t sum_blocks(void)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < scale * 150; i++)
        sum = add(sum, blocks[i].data, blocks[i].size);
    return sum;
}

/* ---- strings, trees, tables ---- */

static void *tree;
static char **strings;

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int by_string(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void make_strings(void)
{
    size_t count = scale * 1000;

    strings = checked(malloc(count * sizeof(*strings)));
    require(hcreate(count * 2), "hcreate");
    for (size_t i = 0; i < count; i++) {
        require(asprintf(&strings[i], "string %zu of %zu", i * 7919 % count, count) > 0,
                "asprintf");
        checked(tsearch(strings[i], &tree, by_text));
        checked(hsearch((ENTRY){strings[i], strings[i]}, ENTER));
    }
    qsort(strings, count, sizeof(*strings), by_string);
}

static uint64_t sum_strings(void)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < scale * 1000; i++) {
        ENTRY *entry = hsearch((ENTRY){strings[i], NULL}, FIND);
        require(entry && entry->data == strings[i], "hsearch");
        require(*(char **)checked(tfind(strings[i], &tree, by_text)) == strings[i], "tfind");
        sum = add(sum, strings[i], strlen(strings[i]));
    }
    return sum;
}

/* ---- streams, system calls ---- */

static char *text;
static size_t text_size;
static struct obstack stack;

static void make_text(void)
{
    FILE *stream = checked(open_memstream(&text, &text_size));

    obstack_init(&stack);
    for (size_t i = 0; i < scale * 1500; i++) {
        fprintf(stream, "%zu %.3f %s\n", i, (double)i / 7, strings[i % (scale * 1000)]);
        obstack_printf(&stack, "%zx;", i);
    }
    require(fclose(stream) == 0, "fclose");
    obstack_1grow(&stack, '\0');
}

/* Through a file and back, by a stream with a large buffer, and by vectors. */
static uint64_t sum_text(void)
{
    FILE *file = checked(tmpfile());
    char *buffer = checked(malloc(1 << 20)), *line = NULL, *back = checked(malloc(text_size + 1));
    size_t line_size = 0, half = text_size / 2;
    struct iovec parts[2] = {{back + half, text_size - half}, {back, half}};
    uint64_t sum = 0;

    require(setvbuf(file, buffer, _IOFBF, 1 << 20) == 0, "setvbuf");
    require(fwrite(text, 1, text_size, file) == text_size && !fflush(file), "fwrite");
    rewind(file);
    while (getline(&line, &line_size, file) > 0)
        sum = add(sum, line, strlen(line));
    require(pwritev(fileno(file), (struct iovec[]){{text + half, text_size - half}, {text, half}},
                    2, 0) == (ssize_t)text_size,
            "pwritev");
    require(preadv(fileno(file), parts, 2, 0) == (ssize_t)text_size, "preadv");
    require(memcmp(text, back, text_size) == 0, "what preadv read");
    fclose(file);
    free(buffer);
    free(line);
    free(back);
    return sum;
}

/* A child, by fork and a pipe, sees the same. */
static uint64_t sum_in_child(void)
{
    int ends[2], status;
    uint64_t sum = 0;

    require(pipe(ends) == 0, "pipe");
    fflush(stdout);
    pid_t child = fork();
    require(child >= 0, "fork");
    if (child == 0) {
        sum = sum_blocks() ^ sum_strings() ^ sum_text();
        _exit(write(ends[1], &sum, sizeof(sum)) != sizeof(sum));
    }
    require(read(ends[0], &sum, sizeof(sum)) == sizeof(sum), "reading from a child");
    require(waitpid(child, &status, 0) == child && status == 0, "the child");
    return sum;
}

/* ---- patterns, characters ---- */

static uint64_t sum_matches(void)
{
    regex_t pattern;
    regmatch_t match;
    uint64_t sum = 0;
    char *at = text;

    require(regcomp(&pattern, "9([0-4]+)\\.[0-9]*7", REG_EXTENDED) == 0, "regcomp");
    for (int i = 0; i < 200 && regexec(&pattern, at, 1, &match, REG_NOTBOL) == 0; i++) {
        sum = add(sum, at + match.rm_so, (size_t)(match.rm_eo - match.rm_so));
        at += match.rm_eo;
    }
    regfree(&pattern);
    return sum;
}

static uint64_t sum_converted(void)
{
    iconv_t conversion = iconv_open("UTF-16LE", "UTF-8");
    size_t left = text_size, room = text_size * 2, size = room;
    char *out = checked(malloc(room)), *to = out, *from = text;

    require(conversion != (iconv_t)-1, "iconv_open");
    require(iconv(conversion, &from, &left, &to, &room) == 0 && left == 0, "iconv");
    iconv_close(conversion);
    uint64_t sum = add(0, out, size - room);
    free(out);
    return sum;
}

/* ---- stacks from malloc ---- */

static ucontext_t main_context, coroutines[16];
static uint64_t coroutine_sum;

static void coroutine(int own)
{
    unsigned char local[20000];

    memset(local, own, sizeof(local));
    swapcontext(&coroutines[own], &main_context);
    coroutine_sum = add(coroutine_sum, local, sizeof(local));
}

static void start_coroutine(int own)
{
    ucontext_t *context = &coroutines[own];

    require(getcontext(context) == 0, "getcontext");
    context->uc_stack.ss_sp = checked(malloc(64 << 10));
    context->uc_stack.ss_size = 64 << 10;
    context->uc_link = &main_context;
    makecontext(context, (void (*)(void))coroutine, 1, own);
    swapcontext(&main_context, context);
}

static uint64_t sum_coroutines(void)
{
    for (int i = 0; i < 16; i++)
        start_coroutine(i);
    sum_blocks();
    for (int i = 0; i < 16; i++)
        swapcontext(&main_context, &coroutines[i]);
    return coroutine_sum;
}

static volatile sig_atomic_t caught;

static void on_signal(int signo)
{
    char local[8000];

    memset(local, signo, sizeof(local));
    caught += local[signo] == signo;
}

static uint64_t sum_signals(void)
{
    stack_t alternate = {.ss_sp = checked(malloc(128 << 10)), .ss_size = 128 << 10};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};

    require(sigaltstack(&alternate, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0,
            "sigaction");
    for (int i = 0; i < 10; i++) {
        sum_matches();
        raise(SIGUSR1);
    }
    return (uint64_t)caught;
}

int main(int argc, char **argv)
{
    scale = argc > 1 ? (size_t)atol(argv[1]) : 1;
    setlocale(LC_ALL, "");
    make_blocks();
    make_strings();
    make_text();
    printf("blocks %016lx\n", sum_blocks());
    printf("strings %016lx\n", sum_strings());
    printf("obstack %016lx\n", add(0, obstack_base(&stack), strlen(obstack_base(&stack))));
    printf("text %016lx\n", sum_text());
    printf("child %016lx\n", sum_in_child());
    printf("matches %016lx\n", sum_matches());
    printf("converted %016lx\n", sum_converted());
    printf("coroutines %016lx\n", sum_coroutines());
    printf("signals %lu\n", sum_signals());
    printf("blocks %016lx\n", sum_blocks());
    return 0;
}
