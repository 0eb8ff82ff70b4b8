# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Kernel swap as a rival: a swap file of its own and a memory cgroup with our budget as limit, v1 or
# v2, whichever has the memory controller. Sourced by bench/run. All that is made here is undone by
# kernel_swap_close, which may be called at any point, also when nothing or a part was made.

kernel_swap_file=
kernel_swap_on=
kernel_swap_group=

# The directory of the memory controller, and the names of its files.
kernel_swap_controller() {
    if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
        echo /sys/fs/cgroup/memory memory.limit_in_bytes
    elif grep -qsw memory /sys/fs/cgroup/cgroup.controllers; then
        echo /sys/fs/cgroup memory.max
    fi
}

# kernel_swap_open DIRECTORY SWAP_BYTES LIMIT_BYTES. On failure says why on stdout.
kernel_swap_open() {
    local directory=$1 size=$2 limit=$3 root='' file='' error

    read -r root file < <(kernel_swap_controller) || true
    [ "$(id -u)" = 0 ] || { echo "needs root"; return 1; }
    [ -n "$root" ] || { echo "no memory controller under /sys/fs/cgroup"; return 1; }
    [ "$file" = memory.limit_in_bytes ] || echo +memory >"$root/cgroup.subtree_control" 2>/dev/null || true

    kernel_swap_file=$directory/uswap-bench-kernel-swap.$$
    error=$(kernel_swap_make_file "$size" 2>&1) || { echo "cannot make a swap file in $directory: $error"; return 1; }
    error=$(swapon -p 32767 "$kernel_swap_file" 2>&1) || { echo "cannot switch it on: $error"; return 1; }
    kernel_swap_on=yes

    kernel_swap_group=$root/uswap-bench.$$
    error=$(mkdir "$kernel_swap_group" 2>&1) || { kernel_swap_group=; echo "cannot make a cgroup: $error"; return 1; }
    error=$( (echo "$limit" >"$kernel_swap_group/$file") 2>&1) || { echo "cannot set its limit: $error"; return 1; }
}

kernel_swap_make_file() {
    rm -f "$kernel_swap_file"
    (umask 077 && fallocate -l "$1" "$kernel_swap_file") && mkswap -q "$kernel_swap_file"
}

# Run a command in the cgroup; it replaces the calling shell.
kernel_swap_exec() {
    echo "$BASHPID" >"$kernel_swap_group/cgroup.procs" || exit 1
    exec "$@"
}

kernel_swap_close() {
    if [ -n "$kernel_swap_on" ]; then
        swapoff "$kernel_swap_file" && kernel_swap_on=
    fi
    if [ -n "$kernel_swap_file" ] && [ -z "$kernel_swap_on" ]; then
        rm -f "$kernel_swap_file"
        kernel_swap_file=
    fi
    for _ in 1 2 3 4 5 6 7 8 9 10; do # the dead leave their cgroup a little later
        [ -n "$kernel_swap_group" ] || break
        rmdir "$kernel_swap_group" 2>/dev/null && kernel_swap_group= || sleep 0.2
    done
}
