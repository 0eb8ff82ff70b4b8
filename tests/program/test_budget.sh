#!/bin/bash
# SPDX-License-Identifier: MIT
# test_budget.sh MIB [SET]: seen from outside, a working set of 1 GiB (or SET MiB) stays within a budget of so many MiB plus the
# program's own size plus 5 % of the budget or 8 MiB. Measured as VmHWM of the process and, for root, as the peak
# of a cgroup (v1 or v2) around it.
. "$(dirname "$0")/lib.sh"
budget=$(($1 * 1024))
slack=$((budget / 20 > 8192 ? budget / 20 : 8192))

# peak_of_group: KiB, of the group made by make_group.
make_group() {
    local name=uswap-test-$$
    group=
    [ "$(id -u)" -eq 0 ] || return
    if mkdir "/sys/fs/cgroup/memory/$name" 2>/dev/null; then
        group=/sys/fs/cgroup/memory/$name
        group_peak=memory.max_usage_in_bytes
    elif grep -qw memory /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null &&
        mkdir "/sys/fs/cgroup/$name" 2>/dev/null; then
        group=/sys/fs/cgroup/$name
        group_peak=memory.peak
    fi
}

# in_group COMMAND...: sets peak and group_kib. The command prints "peak KIB".
in_group() {
    make_group
    (
        [ -z "$group" ] || echo $BASHPID >"$group/cgroup.procs"
        exec "$@"
    ) >"$work/out"
    code=$?
    peak=$(awk '/^peak/ {print $2}' "$work/out")
    group_kib=0
    if [ -n "$group" ]; then
        group_kib=$(($(cat "$group/$group_peak" 2>/dev/null || echo 0) / 1024))
        rmdir "$group"
    fi
}

in_group "$TOOLS/workset" 1
own=$peak
own_group=$group_kib
in_group "$USWAP" run --ram "$1M" --swap "$work/swap:4G" --stats "$work/stats.json" -- \
    "$TOOLS/workset" "${2:-1024}"
expect 'every word was right' [ $code -eq 0 ]
expect_swapped 'the working set' "$work/stats.json"

limit=$((budget + own + slack))
echo "   budget $budget KiB, the program alone $own KiB, peak $peak KiB, limit $limit KiB"
expect 'VmHWM is within the limit' [ "$peak" -le $limit ]
resident=$(($(statistic resident_peak_bytes "$work/stats.json") / 1024))
expect 'the statistics agree with the budget' [ "$resident" -le "$budget" ]

if [ "$group_kib" -gt 0 ]; then
    limit=$((budget + own_group + slack))
    echo "   cgroup: the program alone $own_group KiB, peak $group_kib KiB, limit $limit KiB"
    expect 'the peak of the cgroup is within the limit' [ "$group_kib" -le $limit ]
fi
finish
