# SPDX-License-Identifier: MIT
# Sourced by the tests here: real programs at a quarter of their peak memory, beside the plain run.
# USWAP_PROGRAMS=full runs them at full size, quick as small as proves something, for every `make check`.
#
# The peak is that of the largest process of a program; its budget is shared by all its processes, and the
# statistics are theirs together.
. "$(dirname "$0")/../program/lib.sh"
form=${USWAP_PROGRAMS:-short}
servers=()
mkdir "$work/stats"

# Whatever way a test ends, its servers end first, and its files go.
clean_up() {
    local pid
    for pid in "${servers[@]}"; do
        kill -9 "$pid"
    done 2>/dev/null
    wait 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP

# pick SHORT FULL [QUICK]: the one of this form.
pick() {
    case $form in
    full) echo "$2" ;;
    quick) echo "${3:-$1}" ;;
    *) echo "$1" ;;
    esac
}

# need PROGRAM...: skip the test when one is not installed; install-deps check-programs does that.
need() {
    local program
    for program; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

# No program of these tests runs longer; one that hangs fails.
bounded() {
    timeout -k 5 "$(pick 120 900)" "$@"
}

# measure COMMAND...: run it plainly; sets code, the budget, and $work/plain, the output.
measure() {
    SECONDS=0
    bounded "$TOOLS/peak" "$work/peak" "$@" >"$work/plain"
    code=$?
    echo "   plain: $SECONDS s"
    if [ ! -s "$work/peak" ]; then
        fail "the plain run did not end: exit code $code"
        finish
    fi
    set_budget "$(cat "$work/peak")"
}

# set_budget KIB: a quarter of this peak, which "${within[@]}" puts before a program.
set_budget() {
    ram=$(($1 / 4 > 8192 ? $1 / 4 : 8192))
    echo "   peak $1 KiB, budget $ram KiB"
    expect 'the program is large enough to prove anything' [ $((2 * $1)) -ge $((3 * ram)) ]
    within=("$USWAP" run --ram "${ram}K" --swap "$work/swap:2G" --stats "$work/stats/%p.json" --)
}

# swapped COMMAND...: run it within the budget; sets code and $work/swapped.
swapped() {
    rm -f "$work"/stats/*
    SECONDS=0
    bounded "${within[@]}" "$@" >"$work/swapped"
    code=$?
    echo "   within the budget: $SECONDS s"
}

# total NAME: the sum over all processes.
total() {
    sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$work"/stats/*.json | awk '{ n += $1 } END { print n + 0 }'
}

# expect_swapping WHAT: the statistics prove that objects went out, were written or compressed, and came back.
expect_swapping() {
    local evicted written major
    evicted=$(total objects_evicted) written=$(($(total bytes_written) + $(total bytes_compressed))) major=$(total faults_major)
    echo "   $1: evicted $evicted objects, wrote or compressed $((written >> 20)) MiB, $major major faults"
    expect "$1 evicted objects" [ "$evicted" -gt 0 ]
    expect "$1 kept them somewhere" [ "$written" -gt 0 ]
    expect "$1 read from it" [ "$major" -gt 0 ]
    expect "$1 had no error" [ "$(($(total io_errors) + $(total objects_poisoned)))" -eq 0 ]
}

# The same for a program whose memory is mostly its own anonymous mappings. USWAP_MMAP, for `uswap run`, says
# whether these are swapped.
maps_are_swapped=false
[ "${USWAP_MMAP:-no}" = no ] || maps_are_swapped=true
expect_swapping_maps() {
    if $maps_are_swapped; then
        expect_swapping "$1"
    else
        echo "   $1: evicted $(total objects_evicted) objects; it maps its memory itself"
    fi
}

# same_at_quarter COMMAND...: exit code and output are those of the plain run. Input: $work/in.
same_at_quarter() {
    local plain
    [ -e "$work/in" ] || : >"$work/in"
    measure "$@" <"$work/in"
    plain=$code
    swapped "$@" <"$work/in"
    expect "exit code $plain" [ $code -eq $plain ]
    expect 'the same output' cmp "$work/plain" "$work/swapped"
    expect_swapping "$1"
}

# serve COMMAND...: start a server; sets server to its process.
serve() {
    "$@" &
    server=$!
    servers+=("$server")
}

# wait_for COMMAND...: until it succeeds, for a minute; not longer than the server lives.
wait_for() {
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return 0
        kill -0 "$server" 2>/dev/null || return 1
        sleep 0.2
    done
    return 1
}

# peak_of PID: KiB.
peak_of() {
    awk '/^VmHWM/ { print $2 }' "/proc/$1/status"
}

# stopped SIGNAL: end the server as an administrator does; sets code.
stopped() {
    kill -"$1" "$server"
    timeout 60 tail --pid="$server" -f /dev/null || kill -9 "$server"
    wait "$server"
    code=$?
}

# free_port: one that nobody listens on now.
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)) && (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo $port
}
