#!/bin/bash
# SPDX-License-Identifier: MIT
# coverage.sh COVERAGE LIBRARY SOURCES: every system call of the headers is classified; docs/SYSCALLS.md
# says what the code does; every call with a pointer is made by a test in tests/guard.
set -u
export LC_ALL=C
rows=$(nm -D --defined-only "$2" | sed 's/.* //; s/@.*//' | "$1") || exit 1

differing=$(comm -23 <(sort <<<"$rows") <(sort "$3/docs/SYSCALLS.md"))
untested=$(comm -23 <(grep -v '| |' <<<"$rows" | cut -d' ' -f2 | sort) \
    <(cat "$3"/tests/guard/*.c "$3"/tests/map/*.c | grep -oE 'SYS_[a-z0-9_]+|(TRY|CALL)\([a-z0-9_]+' | sed 's/SYS_//; s/TRY(//; s/CALL(//' | sort -u))

[ -z "$differing" ] || printf 'not in docs/SYSCALLS.md:\n%s\n' "$differing"
[ -z "$untested" ] || printf 'no test calls:\n%s\n' "$untested"
echo "$(wc -l <<<"$rows") system calls"
[ -z "$differing$untested" ]
