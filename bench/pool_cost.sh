#!/bin/bash
# SPDX-License-Identifier: MIT
# pool_cost.sh BUILD-DIRECTORY [PAIRS]: what a budget shared by processes costs against a private one, while nobody else
# is in the pool. Runs of the same work with each, in turns; the ratio of each pair, and the median of the ratios.
set -eu
build=$(realpath "$1")
pairs=${2:-5}
unset USWAP_RAM USWAP_POOL USWAP_SWAP
pool=cost-$$
work=$(mktemp -d "${TMPDIR:-/var/tmp}/uswap-bench-XXXXXX")
trap '"$build/uswap" pool rm $pool; rm -rf "$work"' EXIT
"$build/uswap" pool create $pool --ram 64M

# once OUTPUT VARIABLE: nanoseconds an operation, by case.
once() {
    env "$2" USWAP_SWAP="$work:2G" LD_PRELOAD="$build/libuswap-preload.so" "$build/bench/workload" --size 256M \
        --cases fill,seq-read,rand-read --seconds 1.5 |
        sed -n 's/.*"case":"\([a-z0-9-]*\)".*"ops":\([0-9]*\),.*"ns":\([0-9]*\),.*/\1 \2 \3/p' |
        awk '{ print $1, $3 / $2 }' >"$1"
}

for ((i = 0; i < pairs; i++)); do
    # Who goes first changes, for the second one finds a warmer disk.
    if ((i % 2)); then
        once "$work/shared" USWAP_POOL=$pool
        once "$work/private" USWAP_RAM=64M
    else
        once "$work/private" USWAP_RAM=64M
        once "$work/shared" USWAP_POOL=$pool
    fi
    join <(sort "$work/private") <(sort "$work/shared") | awk '{ print $1, $2, $3, $3 / $2 }' >>"$work/all"
done
for case in fill seq-read rand-read; do
    grep "^$case " "$work/all" | sort -k4 -n | awk -v name="$case" '
        { private[NR] = $2; ratio[NR] = $4; sum += log($4) }
        END { m = int((NR + 1) / 2)
              printf "%-9s %8.2f us an operation; in a pool %+.1f %% (median of %d; mean %+.1f; %+.1f to %+.1f)\n",
                     name, private[m] / 1e3, 100 * (ratio[m] - 1), NR, 100 * (exp(sum / NR) - 1), 100 * (ratio[1] - 1), 100 * (ratio[NR] - 1) }'
done
