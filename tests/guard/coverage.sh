#!/bin/bash
# SPDX-License-Identifier: MIT
# coverage.sh COVERAGE LIBRARY SOURCES: every system call of the headers is classified; docs/SYSCALLS.md
# says what the code does; every call with a pointer is made by a test in tests/guard, by name where libc has it.
set -u
export LC_ALL=C
rows=$(nm -D --defined-only "$2" | sed 's/.* //; s/@.*//' | "$1") || exit 1

differing=$(comm -23 <(sort <<<"$rows") <(sort "$3/docs/SYSCALLS.md"))
# What a test only needs for itself is no test of it.
tests=$(cat "$3"/tests/guard/*.c "$3"/tests/map/*.c | sed 's/[( ]syscall(SYS_[a-z0-9_]*//g')
untested=$(comm -23 <(grep -v '| |' <<<"$rows" | cut -d' ' -f2 | sort) \
    <(grep -oE 'SYS_[a-z0-9_]+|(TRY|CALL)\([a-z0-9_]+' <<<"$tests" | sed 's/SYS_//; s/TRY(//; s/CALL(//' | sort -u))

# libc's signalfd() is signalfd4().
nameless=$(comm -12 <(grep -oE 'TRY\([a-z0-9_]+, NULL' <<<"$tests" | sed 's/TRY(//; s/,.*//' | grep -vx signalfd | sort -u) \
    <(nm -D --defined-only "$(ldd "$1" | awk '/libc\.so/ { print $3 }')" | sed -n 's/.* //; s/@@.*//p' | sort -u))

[ -z "$differing" ] || printf 'not in docs/SYSCALLS.md:\n%s\n' "$differing"
[ -z "$untested" ] || printf 'no test calls:\n%s\n' "$untested"
[ -z "$nameless" ] || printf 'not called by name, which libc has:\n%s\n' "$nameless"
echo "$(wc -l <<<"$rows") system calls"
[ -z "$differing$untested$nameless" ]
