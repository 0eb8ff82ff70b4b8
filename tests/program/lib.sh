# SPDX-License-Identifier: MIT
# Sourced by the tests here. From meson: USWAP, the command; TOOLS, the folder of peak, deny and workset.
set -u
# MALLOC_PERTURB_ (meson test sets it) makes plain programs touch memory that they never use.
unset USWAP_RAM USWAP_SWAP USWAP_STATS USWAP_CHILDREN USWAP_LOG USWAP_LOG_FILE MALLOC_PERTURB_
export LC_ALL=C

failures=0
work=$(mktemp -d "${TMPDIR:-/var/tmp}/uswap-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/swap"

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect WHAT COMMAND...: the command succeeds.
expect() {
    local what=$1
    shift
    if "$@"; then
        echo "ok: $what"
    else
        fail "$what ($*)"
    fi
}

# expect_not WHAT COMMAND...: the command does not.
expect_not() {
    local what=$1
    shift
    if "$@"; then
        fail "$what (not $*)"
    else
        echo "ok: $what"
    fi
}

# on_terminal COMMAND: of the shell, in a terminal of its own; what that shows is in $work/terminal.
on_terminal() {
    script -qec "$1" "$work/terminal" </dev/null >"$work/script"
}

# expect_progress WHAT PATTERN: there was a line that says how far it is, it is gone, and a message had its own line.
expect_progress() {
    expect "$1" grep -qE "$2" "$work/terminal"
    expect 'the line is cleared' grep -qE "$(printf '\r\033')\[K(uswap: |[^:]*$)" "$work/terminal"
}

# skip WHY: what the test needs is not here.
skip() {
    echo "skipped: $*"
    exit 77
}

finish() {
    [ "$failures" -eq 0 ] || echo "$failures failed"
    exit $((failures > 0))
}

# statistic NAME FILE: a number out of the JSON.
statistic() {
    sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$2" | head -n 1
}

# expect_swapped WHAT FILE: the statistics prove that objects went out and were written or compressed.
expect_swapped() {
    local evicted written
    evicted=$(statistic objects_evicted "$2")
    written=$(($(statistic bytes_written "$2") + $(statistic bytes_compressed "$2")))
    echo "   $1: evicted ${evicted:-?} objects, wrote or compressed ${written:-?} bytes," \
        "$(statistic faults_major "$2") major faults"
    expect "$1 evicted objects" [ "${evicted:-0}" -gt 0 ]
    expect "$1 kept them somewhere" [ "${written:-0}" -gt 0 ]
}
