/* SPDX-License-Identifier: MIT */
/*
 * One function for each kind of argument in guard_table.h. Structures that hold pointers are pinned
 * first, then read: a structure that cannot be pinned is not followed.
 */
#include "heap/guard/guard_walk.h"

#include "arena/window.h"
#include "base/sys.h"
#include "heap/guard/guard_pins.h"

#include <errno.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* More than this is no count that a system call takes. */
#define COUNT_MAX (1 << 20)

/* Requests that do not tell their size take no larger structure. */
#define IOCTL_UNKNOWN 256

/* What lies so far above our frame is taken for the stack. */
#define STACK_NEAR (64 * KIB)

/* As many as futex_waitv() takes. */
#define WAITERS_MAX 128

/* No structure that ptrace() fills is larger, but for those with a vector. */
#define TRACE_MAX 4096

/* The last argument of pselect6(). */
struct mask_argument {
    const void *mask;
    size_t size;
};

/* A caller's own variable, which needs no question to the kernel. */
static bool on_stack(const void *address, size_t size)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    return (uintptr_t)address - here < STACK_NEAR && size < STACK_NEAR;
}

/* The kernel reads a signal set before it finds that it does not know what to do with it. */
static bool kernel_reads(uintptr_t address)
{
    return sys_call(SYS_rt_sigprocmask, -1, address, NULL, sizeof(uint64_t)) == -EINVAL;
}

static bool mapped(const void *address, size_t size)
{
    uintptr_t last = align_down((uintptr_t)address + size - 1, sizeof(uint64_t));

    for (uintptr_t at = align_down((uintptr_t)address, sizeof(uint64_t)); at <= last;
         at = align_down(at, PAGE_SIZE) + PAGE_SIZE)
        if (!kernel_reads(at))
            return false;
    return true;
}

bool guard_walk_readable(const void *address, size_t size)
{
    if ((uintptr_t)address < PAGE_SIZE || (uintptr_t)address + size < size || !size)
        return false;
    if (window_overlaps(address, size))
        return guard_pins_add(address, size) == 0;
    return on_stack(address, size) || mapped(address, size);
}

static size_t count_of(long value)
{
    return value > 0 && value <= COUNT_MAX ? (size_t)value : 0;
}

static void walk_string(const char *string)
{
    while (window_contains(string)) {
        size_t rest = PAGE_SIZE - (uintptr_t)string % PAGE_SIZE;

        if (guard_pins_add(string, rest) != 0 || memchr(string, 0, rest))
            return;
        string += rest;
    }
}

void guard_walk_strings(const char *const *strings)
{
    if (!strings || !guard_walk_readable(strings, sizeof(*strings)))
        return;
    while (*strings) {
        walk_string(*strings++);
        if ((uintptr_t)strings % PAGE_SIZE == 0 && !guard_walk_readable(strings, sizeof(*strings)))
            return;
    }
}

static void walk_vector(const struct iovec *vector, size_t count)
{
    if (count > IOV_MAX || !guard_walk_readable(vector, count * sizeof(*vector)))
        return;
    for (size_t i = 0; i < count; i++)
        guard_pins_add_up_to(vector[i].iov_base, vector[i].iov_len);
}

static void walk_message(const struct msghdr *message)
{
    if (!guard_walk_readable(message, sizeof(*message)))
        return;
    guard_pins_add_up_to(message->msg_name, message->msg_namelen);
    guard_pins_add_up_to(message->msg_control, message->msg_controllen);
    walk_vector(message->msg_iov, message->msg_iovlen);
}

static void walk_messages(const struct mmsghdr *messages, size_t count)
{
    if (!guard_walk_readable(messages, count * sizeof(*messages)))
        return;
    for (size_t i = 0; i < count; i++)
        walk_message(&messages[i].msg_hdr);
}

static void walk_ioctl(const void *address, unsigned request)
{
    size_t size = _IOC_SIZE(request);
    const struct ifconf *conf = address;

    guard_pins_add_up_to(address, size ? size : IOCTL_UNKNOWN);
    if (request == SIOCGIFCONF && guard_walk_readable(conf, sizeof(*conf)) && conf->ifc_len > 0)
        guard_pins_add_up_to(conf->ifc_buf, (size_t)conf->ifc_len);
}

static void walk_mask(const struct mask_argument *pair)
{
    if (guard_walk_readable(pair, sizeof(*pair)))
        guard_pins_add_up_to(pair->mask, pair->size);
}

/* seccomp(): operations without a filter take a word or two. */
static void walk_program(const struct sock_fprog *program, long operation)
{
    if (operation != SECCOMP_SET_MODE_FILTER)
        guard_pins_add_up_to(program, sizeof(*program));
    else if (guard_walk_readable(program, sizeof(*program)))
        guard_pins_add_up_to(program->filter, program->len * sizeof(*program->filter));
}

/* The kernel takes hold of the buffers at submission: they need not stay pinned after it. */
static void walk_request(const struct iocb *request)
{
    if (!guard_walk_readable(request, sizeof(*request)))
        return;

    const void *buffer = (const void *)(uintptr_t)request->aio_buf;
    if (request->aio_lio_opcode == IOCB_CMD_PREADV || request->aio_lio_opcode == IOCB_CMD_PWRITEV)
        walk_vector(buffer, count_of((long)request->aio_nbytes));
    else
        guard_pins_add_up_to(buffer, request->aio_nbytes);
}

static void walk_requests(const struct iocb *const *requests, size_t count)
{
    if (!guard_walk_readable(requests, count * sizeof(struct iocb *)))
        return;
    for (size_t i = 0; i < count; i++)
        walk_request(requests[i]);
}

/* struct futex_waitv: value, address, flags. */
struct waiter {
    uint64_t value;
    uint64_t address;
    uint64_t flags;
};

static void walk_waiters(const struct waiter *waiters, size_t count)
{
    if (count > WAITERS_MAX || !guard_walk_readable(waiters, count * sizeof(*waiters)))
        return;
    for (size_t i = 0; i < count; i++)
        guard_pins_add_up_to((const void *)(uintptr_t)waiters[i].address, sizeof(uint64_t));
}

/* struct xattr_args: where the value is, its size, and flags. */
struct attribute {
    uint64_t value;
    uint32_t size;
    uint32_t flags;
};

static void walk_attribute(const struct attribute *attribute)
{
    if (guard_walk_readable(attribute, sizeof(*attribute)))
        guard_pins_add_up_to((const void *)(uintptr_t)attribute->value, attribute->size);
}

static void walk_trace(const void *data, long request)
{
    if (request == PTRACE_GETREGSET || request == PTRACE_SETREGSET)
        walk_vector(data, 1);
    else
        guard_pins_add_up_to(data, TRACE_MAX);
}

static size_t bytes_for_bits(long bits)
{
    return align_up(count_of(bits), 64) / 8;
}

static void walk_measured(const void *address, const uint32_t *size)
{
    if (guard_walk_readable(size, sizeof(*size)))
        guard_pins_add_up_to(address, *size);
}

/* Memory whose size the arguments tell. False: it is a structure that holds pointers. */
static bool walk_plain(const struct guard_argument *argument, const void *address, long by)
{
    size_t count = by > 0 ? (size_t)by : 0;

    switch ((enum guard_kind)argument->kind) {
    case GUARD_VALUE:
    case GUARD_ADDRESS:
        return true;
    case GUARD_FIXED:
    case GUARD_UP_TO:
        guard_pins_add_up_to(address, argument->unit);
        return true;
    case GUARD_SIZED:
        guard_pins_add_up_to(address, count * argument->unit);
        return true;
    case GUARD_TEXT:
        guard_pins_add_up_to(address, sizeof(long) + count);
        return true;
    case GUARD_BITS:
        guard_pins_add_up_to(address, bytes_for_bits(by));
        return true;
    case GUARD_MEASURED:
        walk_measured(address, (const uint32_t *)by);
        return true;
    case GUARD_STRING:
        walk_string(address);
        return true;
    default:
        return false;
    }
}

static void walk_structure(enum guard_kind kind, const void *address, long by)
{
    switch (kind) {
    case GUARD_STRINGS:
        guard_walk_strings(address);
        return;
    case GUARD_VECTOR:
        walk_vector(address, count_of(by));
        return;
    case GUARD_MESSAGE:
        walk_message(address);
        return;
    case GUARD_MESSAGES:
        walk_messages(address, count_of(by));
        return;
    case GUARD_IOCTL:
        walk_ioctl(address, (unsigned)by);
        return;
    case GUARD_MASK:
        walk_mask(address);
        return;
    case GUARD_PROGRAM:
        walk_program(address, by);
        return;
    case GUARD_REQUESTS:
        walk_requests(address, count_of(by));
        return;
    case GUARD_WAITERS:
        walk_waiters(address, count_of(by));
        return;
    case GUARD_PAIR:
        walk_waiters(address, 2);
        return;
    case GUARD_ATTRIBUTE:
        walk_attribute(address);
        return;
    case GUARD_TRACE:
        walk_trace(address, by);
        return;
    default:
        return;
    }
}

static void walk_argument(const struct guard_argument *argument, unsigned index,
                          const long arguments[6])
{
    const void *address = (const void *)arguments[index];
    long by = arguments[argument->by];

    if (!walk_plain(argument, address, by))
        walk_structure(argument->kind, address, by);
}

void guard_walk(const struct guard_call *call, const long arguments[6])
{
    for (unsigned i = 0; i < 6; i++)
        walk_argument(&call->argument[i], i, arguments);
}
