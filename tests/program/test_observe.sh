#!/bin/bash
# SPDX-License-Identifier: MIT
# Seeing what a running process does, from outside, and changing its budget: ps, stat, set.
. "$(dirname "$0")/lib.sh"
chmod 755 "$work"

# json EXPRESSION FILE: a value out of JSON, as Python sees it.
json() {
    python3 -c 'import json, sys; d = json.load(open(sys.argv[2])); print(eval(sys.argv[1]))' "$1" "$2"
}

# field NAME: of the process $pid, as ps --json says it.
field() {
    "$USWAP" ps --json >"$work/ps.json" &&
        json "[p for p in d if p['pid'] == $pid][0]['$1']" "$work/ps.json"
}

# wait_until WHAT COMMAND...: within 20 s.
wait_until() {
    local what=$1 i
    shift
    for ((i = 0; i < 200; i++)); do
        if "$@" 2>"$work/wait.err"; then
            echo "ok: $what"
            return
        fi
        sleep 0.1
    done
    fail "$what ($*)"
}

filled() { [ "$(field resident_bytes)" -gt $((20 << 20)) ]; }
swapped() { [ "$(field swapped_bytes)" -gt $((8 << 20)) ]; }
below() { [ "$(field resident_bytes)" -le "$1" ]; }

# It fills 24 MiB, which fit, and is idle.
"$USWAP" run --ram 40M --swap "$work/swap:4G" -- "$TOOLS/workset" 24 600 &
pid=$!
trap 'kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
wait_until 'the process is listed, with its memory' filled
expect 'ps names the program, and the tree it began' grep -q "$pid root *$pid .*workset 24 600" <("$USWAP" ps)
expect 'the pool has that number' [ "$(field budget_pool)" = $pid ]
expect 'the budget is on the page' [ "$(field ram_budget_bytes)" -eq $((40 << 20)) ]
expect 'nothing is swapped' [ "$(field swapped_bytes)" -eq 0 ]
expect 'it has one store of 4 GiB' [ "$(field store_capacity_bytes)" -gt $((4000 << 20)) ]
expect 'the page is private' [ "$(stat -L -c %a "$(find /proc/$pid/fd -lname '*uswap-status*')")" = 600 ]
expect_not 'others may not write to it' python3 -c \
    "open('$(find /proc/$pid/fd -lname '*uswap-status*')', 'r+b', buffering=0).write(b'x')"

# Smaller, while it sleeps; then larger.
expect 'set says so' grep -q "$pid: the budget is 12M" <("$USWAP" set $pid ram=12M)
expect 'the process has obeyed while it slept' below $((12 << 20))
expect 'what left is swapped' swapped
expect 'the budget is smaller' [ "$(field ram_budget_bytes)" -eq $((12 << 20)) ]
expect 'larger' "$USWAP" set $pid ram=64M
expect 'the budget is larger' [ "$(field ram_budget_bytes)" -eq $((64 << 20)) ]
"$USWAP" set $pid ram=12M >"$work/out"

# What cannot be.
refused() {
    local status=$1 pattern=$2
    shift 2
    "$USWAP" "$@" >"$work/out" 2>"$work/err"
    expect "exit code $status: uswap $*" [ $? -eq "$status" ]
    expect "message has '$pattern'" grep -qF -- "$pattern" "$work/err"
    expect 'one line' [ "$(wc -l <"$work/err")" -eq 1 ]
}
refused 2 'ram=4M: the budget is too small' set $pid ram=4M
refused 2 'ram=lots: not a size' set $pid ram=lots
refused 2 'give a process or pool and its new budget' set $pid
refused 2 'pool none: ' set none ram=1G
refused 1 'there is no such process' set 4194000 ram=1G
refused 1 'not under uswap' set $$ ram=1G
refused 1 'not under uswap' stat $$
refused 2 '--interval no: not a number of seconds' stat --interval no
refused 2 '--count 0: not a number' stat --count 0
refused 2 '--json=1: the option takes no value' stat --json=1
refused 2 'takes no arguments' ps all
refused 2 '--wait x: not a number of seconds' set --wait x $pid ram=20M

# A stopped process can be read, and is left alone.
kill -STOP $pid
expect 'a stopped process can be read' [ "$(field ram_budget_bytes)" -eq $((12 << 20)) ]
expect 'it is known to be stopped' [ "$(field state)" = T ]
refused 1 'is stopped; nothing was changed' set --wait 0.3 $pid ram=20M
refused 1 'is stopped; nothing was changed' set --wait 1.2 $pid ram=10M # without a terminal nothing else is said
on_terminal "$USWAP set --wait 1.7 $pid ram=10M"
expect_progress 'on a terminal, after a second, how much is left' "$pid: memory leaves: 1 s, (1\.[0-9]|2)M left"
kill -CONT $pid
sleep 0.3
expect 'the request was withdrawn' [ "$(field ram_budget_bytes)" -eq $((12 << 20)) ]

# Lines, like vmstat.
"$USWAP" stat --interval 0.1 --count 3 $pid >"$work/out"
expect 'a header and three lines' [ "$(wc -l <"$work/out")" -eq 4 ]
expect 'of this process' [ "$(grep -c "^ *$pid " "$work/out")" -eq 3 ]
on_terminal "stty cols 80; $USWAP stat $pid"
expect 'a narrow terminal has the columns that fit' grep -qE '^ +PID RESIDENT SWAPPED .* ERRORS' "$work/terminal"
expect 'and lines of its width' [ "$(tail -n +2 "$work/terminal" | head -n 2 | tr -d '\r' | wc -L)" -le 80 ]
"$USWAP" stat --json $pid >"$work/stat.json"
expect 'JSON has the number' [ "$(json "d['pid']" "$work/stat.json")" -eq $pid ]
expect 'regions are listed' [ "$(json "len(d['regions'])" "$work/stat.json")" -gt 0 ]
expect 'their traffic, too' [ "$(json "sum(r['evictions'] for r in d['regions'])" "$work/stat.json")" -gt 1000 ]
expect 'writes were timed' [ "$(json "d['latency']['write']['count']" "$work/stat.json")" -gt 0 ]

# Somebody else may neither read nor change it.
if [ "$(id -u)" -eq 0 ]; then
    mkdir "$work/bin"
    cp "$USWAP" "$work/bin"
    as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all)
    "${as_nobody[@]}" "$work/bin/uswap" set $pid ram=20M 2>"$work/err"
    expect 'exit code 1: a process of somebody else' [ $? -eq 1 ]
    expect 'it says why' grep -q 'only its owner and root may' "$work/err"
    expect_not 'nor is it listed' grep -q "^ *$pid " <("${as_nobody[@]}" "$work/bin/uswap" ps)
    expect 'nothing was changed' [ "$(field ram_budget_bytes)" -eq $((12 << 20)) ]
fi

# It ends while it is watched, by a signal that it cannot catch: nothing is left.
"$USWAP" stat --interval 0.2 $pid >"$work/out" &
watcher=$!
sleep 0.5
kill -9 $pid
wait $pid 2>/dev/null
expect 'stat ends with the process' timeout 10 tail --pid=$watcher -f /dev/null
expect_not 'it is not listed any more' grep -q "^ *$pid " <("$USWAP" ps)

# A process that faults: the parts of its faults.
"$USWAP" run --ram 16M --swap "$work/swap:4G" -- "$TOOLS/workset" 40 busy &
pid=$!
wait_until 'the next process swaps' swapped
parts_timed() {
    "$USWAP" stat --parts --json $pid >"$work/parts.json" &&
        [ "$(json "min(p['sum_ns'] for p in d['parts'].values())" "$work/parts.json")" -gt 0 ]
}
wait_until 'all parts of faults are timed' parts_timed
expect 'the table has them' grep -q '^io ' <("$USWAP" stat --parts --interval 0.2 --count 1 $pid)
expect 'a second process would be listed, too' [ "$("$USWAP" ps | wc -l)" -ge 2 ]
expect 'it obeys while it works' "$USWAP" set $pid ram=24M
expect 'and has the new budget' [ "$(field ram_budget_bytes)" -eq $((24 << 20)) ]
kill $pid
wait $pid 2>/dev/null

# A process that executes another program is followed, with its new page.
"$USWAP" run --ram 16M --swap "$work/swap:4G" -- sh -c 'sleep 2; exec "$0" 30 busy' "$TOOLS/workset" &
pid=$!
wait_until 'it is listed' field resident_bytes
"$USWAP" stat --interval 0.5 --count 16 $pid >"$work/out"
expect 'stat goes on with what the process executes' [ "$(awk '$1 + 0 && $4 ~ /M$/' "$work/out" | wc -l)" -ge 4 ]
kill $pid
wait $pid 2>/dev/null

# Compressed RAM is a tier of its own: a part of what is resident, with a part of what is swapped.
"$USWAP" run --ram 16M --swap "$work/swap:4G" --compress lz4 -- python3 -c 'import time
kept = [b"%08d" % i * 512 for i in range(8000)]
time.sleep(1000)' &
pid=$!
packed() { [ "$(field compressed_bytes)" -gt $((8 << 20)) ]; }
wait_until 'what shrinks stays in memory' packed
"$USWAP" stat --json $pid >"$work/stat.json"
expect 'in less room, within both tiers' [ "$(json "0 < d['compressed_ram_bytes'] < d['compressed_bytes'] <= d['swapped_bytes'] \
    and d['compressed_ram_bytes'] < d['resident_bytes']" "$work/stat.json")" = True ]
expect 'stat has a column of it' grep -qE '^ *[0-9]+ +[0-9.]+M +[0-9.]+M +[0-9.]+M ' <("$USWAP" stat $pid)
kill $pid
wait $pid 2>/dev/null
finish
