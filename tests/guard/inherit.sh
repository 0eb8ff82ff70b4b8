#!/bin/bash
# SPDX-License-Identifier: MIT
# inherit.sh UNGUARDED DENY: what the children of a guarded program find.
set -u
unset USWAP_RAM USWAP_SWAP USWAP_STATS USWAP_CHILDREN MALLOC_PERTURB_
work=$(mktemp -d "${TMPDIR:-/var/tmp}/uswap-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
run=("$USWAP" run --ram 8M --swap "$work:256M" --)
failures=0

expect() {
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: $2 instead of $3"
        failures=$((failures + 1))
    fi
}

filters='sed -n s/^Seccomp_filters:.//p /proc/self/status'
outside=$($filters)
expect 'a guarded program has one filter' "$("${run[@]}" $filters)" $((outside + 1))
expect 'so has a child of its children' \
    "$("${run[@]}" sh -c "sh -c 'bash -c \"$filters; true\"; true'; true")" $((outside + 1))
expect 'a static program is not harmed' "$("${run[@]}" sh -c "$1")" unharmed
expect 'and as the program itself' "$("${run[@]}" "$1" 2>"$work/err")" unharmed

"$2" seccomp "${run[@]}" sh -c 'echo works' >"$work/out" 2>"$work/err"
expect 'without seccomp it works' "$(cat "$work/out")" works
expect 'and says so' "$(grep -c 'seccomp is not allowed' "$work/err")" 1
exit $((failures > 0))
