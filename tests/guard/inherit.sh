#!/bin/bash
# SPDX-License-Identifier: MIT
# inherit.sh UNGUARDED DENY SMALL32: what the children of a guarded program find.
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

expect 'its environment is as it was given' \
    "$(X=1 "${run[@]}" sh -c "$1 again; env" 2>&1 | grep -c -e ^X=1 -e ^USWAP_RAM=)" 2

# Of the other architecture of the machine, where there is one.
if "$3" >"$work/out" 2>/dev/null && [ "$(cat "$work/out")" = unharmed ]; then
    expect 'a 32-bit program is not harmed' "$("${run[@]}" sh -c "$3; :" 2>&1)" unharmed
    expect 'and as the program itself' "$("${run[@]}" "$3" 2>&1)" unharmed
else
    echo 'no 32-bit programs on this machine'
fi

# A setuid program is not preloaded, and says nothing of it. Without privilege a filter can only be
# had for a promise that no program gains any: then it runs as the user that started it.
if [ "$(id -u)" -eq 0 ]; then
    chmod 755 "$work"
    cp "$(command -v id)" "$work/id-nobody"
    cp "$(command -v grep)" "$work/grep-nobody"
    cp "$(command -v id)" "$work/id-root"
    chown 65534 "$work"/*-nobody
    chmod u+s "$work"/*-nobody "$work/id-root"
    expect 'a setuid program is another user' "$("${run[@]}" sh -c "$work/id-nobody -u; :" 2>&1)" 65534
    expect 'and has no memory of ours' \
        "$("${run[@]}" sh -c "$work/grep-nobody -c libuswap /proc/self/maps; :" 2>&1)" 0
    expect 'also as the program itself' "$("${run[@]}" "$work/id-nobody" -u 2>/dev/null)" 65534
    mkdir "$work/swap" "$work/bin"
    cp "$USWAP" "$(dirname "$USWAP")/libuswap-preload.so" "$work/bin"
    chown 65534 "$work/swap"
    expect 'without privilege it gains none' \
        "$(setpriv --reuid 65534 --clear-groups --inh-caps=-all "$work/bin/uswap" run --ram 8M \
            --swap "$work/swap:256M" -- sh -c "$work/id-root -u; :" 2>&1)" 65534
fi

"$2" seccomp "${run[@]}" sh -c 'echo works' >"$work/out" 2>"$work/err"
expect 'without seccomp it works' "$(cat "$work/out")" works
expect 'and says so' "$(grep -c 'seccomp is not allowed' "$work/err")" 1
exit $((failures > 0))
