#!/bin/bash
# SPDX-License-Identifier: MIT
# What passes through the command untouched: exit code, signals, input, output, arguments.
. "$(dirname "$0")/lib.sh"
run=("$USWAP" run --ram 64M --swap "$work/swap:4G" --)

for code in 0 1 2 7 126 127 255; do
    "${run[@]}" sh -c "exit $code"
    expect "exit code $code" [ $? -eq "$code" ]
done

for name in TERM KILL SEGV ABRT BUS; do
    "${run[@]}" sh -c "ulimit -c 0; kill -$name \$\$"
    expect "killed by $name" [ $? -eq $((128 + $(kill -l $name))) ]
done 2>/dev/null

# The program is the process that was started: a signal from outside meets its own handler.
"${run[@]}" bash -c 'trap "echo caught; exit 5" USR1; echo started; while :; do sleep 0.1; done' \
    >"$work/out" &
pid=$!
for _ in $(seq 100); do
    grep -q started "$work/out" && break
    sleep 0.1
done
kill -USR1 $pid
wait $pid
expect 'exit code of the handler' [ $? -eq 5 ]
expect 'the handler ran' grep -q caught "$work/out"

# An ignored signal stays ignored, a default one default.
(
    trap '' HUP
    "${run[@]}" grep SigIgn /proc/self/status
) >"$work/ignored"
expect 'SIGHUP stays ignored' [ $((0x$(awk '{print $2}' "$work/ignored") & 1)) -eq 1 ]
"${run[@]}" grep SigIgn /proc/self/status >"$work/ignored"
expect 'nothing else is ignored' cmp -s "$work/ignored" <(grep SigIgn /proc/self/status)
"${run[@]}" grep SigBlk /proc/self/status >"$work/blocked"
expect 'no signal is blocked' cmp -s "$work/blocked" <(grep SigBlk /proc/self/status)

head -c 20000000 /dev/urandom >"$work/in"
"${run[@]}" cat <"$work/in" >"$work/out"
expect 'stdin to stdout' cmp "$work/in" "$work/out"
cat "$work/in" | "${run[@]}" cat | cat >"$work/out"
expect 'pipe to pipe' cmp "$work/in" "$work/out"
"${run[@]}" cat 3<"$work/in" <&3 >"$work/out"
expect 'inherited descriptors' cmp "$work/in" "$work/out"
"${run[@]}" sh -c 'echo out; echo err >&2' >"$work/out" 2>"$work/err"
expect 'stdout is its own' [ "$(cat "$work/out")" = out ]
expect 'stderr is its own' [ "$(cat "$work/err")" = err ]
"${run[@]}" yes 2>"$work/err" | head -n 1 >/dev/null
expect 'a closed pipe kills with SIGPIPE' [ "${PIPESTATUS[0]}" -eq 141 ]

"${run[@]}" printf '<%s>' 'a b' '' $'c\nd' '--ram' '*' >"$work/out"
expect 'arguments' cmp "$work/out" <(printf '<%s>' 'a b' '' $'c\nd' '--ram' '*')
expect 'a program after options without --' \
    [ "$("$USWAP" run --ram 64M --swap "$work/swap" echo --stats x)" = '--stats x' ]
MINE='a=b c' "${run[@]}" printenv MINE >"$work/out"
expect 'environment' [ "$(cat "$work/out")" = 'a=b c' ]
cd "$work/swap" || exit
expect 'working directory' [ "$("${run[@]}" pwd)" = "$work/swap" ]
expect 'a preloaded library stays behind ours' \
    grep -q "libuswap-preload.so:/lib/other.so$" \
    <(LD_PRELOAD=/lib/other.so "${run[@]}" printenv LD_PRELOAD 2>/dev/null)

# The same by environment alone.
preload=$(dirname "$USWAP")/libuswap-preload.so
env LD_PRELOAD="$preload" USWAP_RAM=64M USWAP_SWAP="$work/swap:1G" USWAP_STATS="$work/s.json" \
    sh -c 'exit 9'
expect 'exit code by LD_PRELOAD alone' [ $? -eq 9 ]
expect 'budget by LD_PRELOAD alone' [ "$(statistic ram_budget_bytes "$work/s.json")" = 67108864 ]
expect 'nothing is left in the swap directory' [ -z "$(ls -A "$work/swap")" ]

# What the dynamic linker does not start is run all the same, and named.
"${run[@]}" "$TOOLS/static" "$work/peak" sh -c 'exit 7' 2>"$work/err"
expect 'exit code of a static program' [ $? -eq 7 ]
expect 'it is named' grep -q 'static is linked statically: it runs without uswap' "$work/err"
expect 'in one line' [ "$(wc -l <"$work/err")" -eq 1 ]
printf '#!%s\n' "$TOOLS/static" >"$work/script"
chmod +x "$work/script"
PATH=$work:$PATH "${run[@]}" script 2>"$work/err"
expect 'so is a script with such an interpreter' grep -q '^uswap: script is linked statically' "$work/err"
"${run[@]}" true 2>"$work/err"
expect_not 'no other one is' [ -s "$work/err" ]

# Options and statistics.
"$USWAP" run --ram=32M --swap="$work/swap:1G" --stats="$work/s.json" true
expect 'budget from --ram=SIZE' [ "$(statistic ram_budget_bytes "$work/s.json")" = 33554432 ]
for name in ram_budget_bytes resident_peak_bytes window_bytes faults_major faults_minor \
    objects_evicted objects_dropped_clean bytes_read bytes_written fault_ns_p50 fault_ns_p99; do
    expect "statistics have $name" [ -n "$(statistic $name "$work/s.json")" ]
done

# They are those of the process that was started, whatever program it is at the end, not of children.
stats_after() {
    rm -f "$work/s.json"
    "$USWAP" run --ram 32M --swap "$work/swap:1G" --stats "$work/s.json" sh -c "$1" >"$work/out"
    statistic faults_major "$work/s.json"
}
workset="'$TOOLS/workset' 64"
expect 'statistics after exec' [ "$(stats_after "exec $workset")" -gt 100 ]
# The shell gives way to it, and has some of its memory read back.
expect 'statistics of a shell, not of its child' [ "$(stats_after "$workset; exit 0")" -lt 50 ]
# With %p each process has a file: the shell, its child by fork alone, and what another one executes.
"$USWAP" run --ram 32M --swap "$work/swap:1G" --stats "$work/each-%p.json" sh -c \
    "echo \$\$ >'$work/pid'; (exit 0); $workset; exit 0" >"$work/out"
expect 'the shell has statistics of its own' [ -s "$work/each-$(cat "$work/pid").json" ]
expect 'so have its two children' [ "$(ls "$work"/each-*.json | wc -l)" -eq 3 ]
expect 'only one swapped much' \
    [ "$(cat "$work"/each-*.json | grep -c 'faults_major": [1-9][0-9][0-9]')" -eq 1 ]
"$USWAP" run --swap "$work/swap" --stats - true >"$work/out" 2>"$work/err"
expect 'a summary on stderr' [ -s "$work/err" ]
expect_not 'nothing on stdout' [ -s "$work/out" ]
"$USWAP" run --swap "$work/swap:1G" --swap "$work/s2:64M" -- true
expect 'two stores' [ $? -eq 0 ]
finish
