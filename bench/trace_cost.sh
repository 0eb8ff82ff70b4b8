#!/bin/bash
# SPDX-License-Identifier: MIT
# trace_cost.sh BUILD-DIRECTORY [PAIRS]: what --trace costs. Runs of the same work with and without it, in turns;
# the ratio of each pair, and the median of the ratios.
set -eu
build=$1
pairs=${2:-5}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/uswap-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT

# once OUTPUT OPTION...: nanoseconds an operation, by case.
once() {
    local out=$1
    shift
    "$build/uswap" run --ram 64M --swap "$work:2G" "$@" -- "$build/bench/workload" --size 256M \
        --cases fill,seq-read,rand-read --seconds 1.5 |
        sed -n 's/.*"case":"\([a-z0-9-]*\)".*"ops":\([0-9]*\),.*"ns":\([0-9]*\),.*/\1 \2 \3/p' |
        awk '{ print $1, $3 / $2 }' >"$out"
}

for ((i = 0; i < pairs; i++)); do
    # Who goes first changes, for the second one finds a warmer disk.
    if ((i % 2)); then
        once "$work/with.$i" --trace "$work/trace"
        once "$work/plain.$i"
    else
        once "$work/plain.$i"
        once "$work/with.$i" --trace "$work/trace"
    fi
    join <(sort "$work/plain.$i") <(sort "$work/with.$i") | awk '{ print $1, $2, $3, $3 / $2 }' >>"$work/all"
done
echo "trace: $(($(stat -c %s "$work/trace") >> 10)) KiB a run"
for case in fill seq-read rand-read; do
    grep "^$case " "$work/all" | sort -k4 -n | awk -v name="$case" '
        { plain[NR] = $2; with[NR] = $3; ratio[NR] = $4 }
        END { m = int((NR + 1) / 2)
              printf "%-9s %8.2f us an operation plainly; with a trace %+.1f %% (median of %d; %+.1f to %+.1f)\n",
                     name, plain[m] / 1e3, 100 * (ratio[m] - 1), NR, 100 * (ratio[1] - 1), 100 * (ratio[NR] - 1) }'
done
