#!/bin/bash
# SPDX-License-Identifier: MIT
# What a kernel or container lacks that can be done without: the program runs right all the same, and one
# message says what is missing.
. "$(dirname "$0")/lib.sh"

# works_without WHAT PATTERN COMMAND...: COMMAND takes something away and runs what follows it.
works_without() {
    local what=$1 pattern=$2
    shift 2
    "$@" "$USWAP" run --ram 16M --swap "$work/swap:1G" --stats "$work/stats.json" -- \
        "$TOOLS/workset" 64 >"$work/out" 2>"$work/err"
    expect "every word is right without $what" [ $? -eq 0 ]
    expect "one line" [ "$(wc -l <"$work/err")" -eq 1 ]
    expect "it has '$pattern'" grep -q "$pattern" "$work/err"
    sed 's/^/   /' "$work/err"
    expect_swapped "without $what" "$work/stats.json"
}

works_without io_uring io_uring "$TOOLS/deny" io_uring
works_without seccomp seccomp "$TOOLS/deny" seccomp
finish
