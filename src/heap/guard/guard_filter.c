/* SPDX-License-Identifier: MIT */
/*
 * The program is a search tree over the numbers of the calls; a leaf is a run of numbers with the
 * same set of pointer arguments, and jumps to the block for that set. Calls without any are allowed
 * whatever their arguments: the kernel finds that out by itself and does not run the filter for
 * them.
 *
 * A call with a number that no kernel has asks whether the filter is there: it answers with an
 * error that no kernel gives. Its arguments tell the window and the layout of this filter, so that
 * a filter for another window, or of another version, does not answer.
 */
#include "heap/guard/guard_filter.h"

#include "arena/window.h"
#include "base/sys.h"
#include "heap/guard/guard_arch.h"
#include "heap/guard/guard_call.h"
#include "heap/guard/guard_table.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#define PROBE_NUMBER 0x3a7e51
#define PROBE_ANSWER 3571

/* To be counted up when the rules change. */
#define PROBE_VERSION 3

#define PROGRAM_MAX 2048
#define SETS        64 /* one for each set of pointer arguments */

struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned length;
    unsigned block[SETS];       /* where the code for a set begins */
    unsigned trap[SETS];        /* its jump to what traps the call */
    uint16_t runs[GUARD_CALLS]; /* the first number of each */
    unsigned count;
};

static unsigned emit(struct program *program, uint16_t code, uint32_t k)
{
    program->code[program->length] = (struct sock_filter){code, 0, 0, k};
    return program->length++;
}

static void emit_if_equal(struct program *program, uint32_t k, uint8_t yes, uint8_t no)
{
    program->code[emit(program, BPF_JMP | BPF_JEQ | BPF_K, k)].jt = yes;
    program->code[program->length - 1].jf = no;
}

static void emit_load(struct program *program, size_t offset)
{
    emit(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

static void emit_return(struct program *program, uint32_t action)
{
    emit(program, BPF_RET | BPF_K, action);
}

static size_t argument_low(unsigned index)
{
    return offsetof(struct seccomp_data, args) + index * sizeof(uint64_t);
}

static size_t argument_high(unsigned index)
{
    return argument_low(index) + sizeof(uint32_t);
}

static uint32_t high(uint64_t value)
{
    return (uint32_t)(value >> 32);
}

/* Allow the call when it comes from the stub page, else trap it. */
static void emit_trap(struct program *program)
{
    uint64_t stub = guard_call_stub();
    size_t where = offsetof(struct seccomp_data, instruction_pointer);

    emit_load(program, where + sizeof(uint32_t));
    emit_if_equal(program, high(stub), 0, 3);
    emit_load(program, where);
    emit(program, BPF_ALU | BPF_AND | BPF_K, ~(uint32_t)(PAGE_SIZE - 1));
    emit_if_equal(program, (uint32_t)stub, 1, 0);
    emit_return(program, SECCOMP_RET_TRAP | GUARD_FILTER_MARK);
    emit_return(program, SECCOMP_RET_ALLOW);
}

/* The code for calls whose pointers are the arguments in set. */
static void emit_block(struct program *program, unsigned set)
{
    unsigned left = (unsigned)__builtin_popcount(set);

    program->block[set] = program->length;
    for (unsigned i = 0; i < 6; i++) {
        if (!(set & 1u << i))
            continue;
        left--;
        emit_load(program, argument_high(i));
        emit(program, BPF_ALU | BPF_RSH | BPF_K, window.shift - 32);
        /* Over the tests that are left, and the return after them. */
        emit_if_equal(program, (uint32_t)(window.base >> window.shift), (uint8_t)(3 * left + 1), 0);
    }
    emit_return(program, SECCOMP_RET_ALLOW);
    program->trap[set] = emit(program, BPF_JMP | BPF_JA, 0);
}

static void emit_probe(struct program *program)
{
    const uint32_t words[][2] = {{(uint32_t)argument_low(0), PROBE_VERSION},
                                 {(uint32_t)argument_low(1), (uint32_t)window.base},
                                 {(uint32_t)argument_high(1), high(window.base)},
                                 {(uint32_t)argument_low(2), window.shift}};
    unsigned left = array_size(words);

    for (unsigned i = 0; i < array_size(words); i++) {
        left--;
        emit_load(program, words[i][0]);
        emit_if_equal(program, words[i][1], 0, (uint8_t)(2 * left + 1));
    }
    emit_return(program, SECCOMP_RET_ERRNO | PROBE_ANSWER);
    emit_return(program, SECCOMP_RET_ALLOW);
}

/* Numbers that no kernel has. */
static void emit_beyond(struct program *program)
{
    emit_if_equal(program, PROBE_NUMBER, 4, 0);
    emit(program, BPF_ALU | BPF_AND | BPF_K, ~(uint32_t)(GUARD_CALLS - 1));
    emit_if_equal(program, GUARD_FILTER_TRAPPED, 0, 1);
    emit_return(program, SECCOMP_RET_TRAP | GUARD_FILTER_MARK);
    emit_return(program, SECCOMP_RET_ALLOW);
    emit_probe(program);
}

/* Jump to an instruction that is further up. */
static void aim(struct program *program, unsigned jump)
{
    program->code[jump].k = program->length - jump - 1;
}

/* The tree over runs[first .. end); the jumps of its leaves go down to blocks that are not there
 * yet. */
static void emit_tree(struct program *program, unsigned first, unsigned end, unsigned leaves[])
{
    if (end - first == 1) {
        leaves[first] = emit(program, BPF_JMP | BPF_JA, 0);
        return;
    }

    unsigned middle = first + (end - first) / 2;
    emit(program, BPF_JMP | BPF_JGE | BPF_K, program->runs[middle]);
    program->code[program->length - 1].jt = 1;
    unsigned to_left = emit(program, BPF_JMP | BPF_JA, 0);
    emit_tree(program, middle, end, leaves);
    aim(program, to_left);
    emit_tree(program, first, middle, leaves);
}

static unsigned pointers_of(uint16_t number)
{
    const struct guard_call *call = guard_table_find(number);

    return call ? guard_table_pointers(call) : 0;
}

static void collect_runs(struct program *program)
{
    for (uint16_t number = 0; number < GUARD_CALLS; number++)
        if (number == 0 || pointers_of(number) != pointers_of(number - 1))
            program->runs[program->count++] = number;
}

static void emit_program(struct program *program)
{
    unsigned leaves[GUARD_CALLS];

    emit_load(program, offsetof(struct seccomp_data, arch));
    emit_if_equal(program, GUARD_AUDIT_ARCH, 1, 0);
    emit_return(program, SECCOMP_RET_ALLOW);
    emit_load(program, offsetof(struct seccomp_data, nr));
    emit(program, BPF_JMP | BPF_JGE | BPF_K, GUARD_CALLS);
    unsigned beyond = program->length - 1;
    program->code[beyond].jf = 1;
    unsigned to_probe = emit(program, BPF_JMP | BPF_JA, 0);
    emit_tree(program, 0, program->count, leaves);

    for (unsigned i = 0; i < program->count; i++) {
        unsigned set = pointers_of(program->runs[i]);
        if (!program->block[set])
            emit_block(program, set);
        program->code[leaves[i]].k = program->block[set] - leaves[i] - 1;
    }
    for (unsigned set = 0; set < SETS; set++)
        if (program->block[set])
            aim(program, program->trap[set]);
    emit_trap(program);
    aim(program, to_probe);
    emit_beyond(program);
}

static int install(const struct program *program)
{
    struct sock_fprog fprog = {(unsigned short)program->length, (void *)program->code};
    unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    long result = sys_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &fprog);

    /* Without privilege the program must first promise not to gain any by exec. */
    if (result == -EACCES) {
        result = sys_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (!result)
            result = sys_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &fprog);
    }
    return result > 0 ? -EBUSY : (int)result;
}

static bool in_force(void)
{
    return sys_call(PROBE_NUMBER, PROBE_VERSION, window.base, window.shift) == -PROBE_ANSWER;
}

int guard_filter_start(void)
{
    /* Too large for any stack this may be called on; touched once. */
    static struct program program;

    if (window.shift < 32)
        return -EINVAL;
    if (in_force())
        return 0;
    if (!program.count) {
        collect_runs(&program);
        emit_program(&program);
    }
    return install(&program);
}
