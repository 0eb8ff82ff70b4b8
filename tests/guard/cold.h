/* SPDX-License-Identifier: MIT */
/*
 * Memory that is swapped out when a call uses it, and three ways to make the call. A test program
 * runs its cases once plainly and once under uswap; what it prints must be the same.
 */
#ifndef USWAP_TESTS_GUARD_COLD_H
#define USWAP_TESTS_GUARD_COLD_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096

enum way { BY_NAME, BY_SYSCALL, BY_INSTRUCTION };

struct cold_case {
    const char *name;
    void (*run)(enum way way);
};

/* Memory of this size, zeroed, that begins in the last bytes of a page; freed after the case. */
void *cold(size_t size);
void *cold_copy(const void *bytes, size_t size);
char *cold_string(const char *string);

/* Make all that cold() gave cold. Ends the program if some of it stays resident. */
void chill(void);

/* The same for what can leave; the rest is in use. */
void push_out(void);

/* What cold() gave is not freed after the case: the kernel goes on using it. */
void keep_cold(void);

/* The call by inline assembly, as syscall(): -1 and errno. */
long by_instruction(long number, ...);

/* CALL(libc call, number, arguments...): as the case's way says; the memory is cold before it. */
#define CALL(by_name, ...) (chill(), CALL_AS_IT_IS(by_name, __VA_ARGS__))

/* The same with the memory as it is. */
#define CALL_AS_IT_IS(by_name, ...)                                                                \
    (way == BY_NAME      ? (long)(by_name)                                                         \
     : way == BY_SYSCALL ? syscall(__VA_ARGS__)                                                    \
                         : by_instruction(__VA_ARGS__))

/* One line of the output: the text, a result and errno if it is -1, and a sum of the bytes. */
void say(const char *what, long result, const void *bytes, size_t size);

/* What the program's main does with its cases. */
int cold_main(const struct cold_case *cases, size_t count);

#endif
