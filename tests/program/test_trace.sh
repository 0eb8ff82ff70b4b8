#!/bin/bash
# SPDX-License-Identifier: MIT
# A trace says what the program did, whatever way it ends, and the report has it all.
. "$(dirname "$0")/lib.sh"
unset USWAP_TRACE
trace=$work/t

# value EXPRESSION: of the report's JSON, as Python sees it.
value() {
    python3 -c 'import json, sys; d = json.load(open(sys.argv[2])); print(eval(sys.argv[1]))' "$1" "$work/json"
}
report() { "$USWAP" report --json "$1" >"$work/json" 2>"$work/err"; }
holds() { [ "$(value "$1")" = True ]; }

run() {
    "$USWAP" run --ram 12M --swap "$work/swap:1G" --trace "$trace" --stats "$work/stats" -- "$@"
}

# whole COMMAND...: run it until nothing of the trace is lost: on a machine with no processor to spare, some may be.
whole() {
    local i
    for i in 1 2 3 4 5; do
        "$@"
        expect 'the program ends well' [ $? -eq 0 ]
        expect 'the report is made' report "$trace"
        holds "d['lost_records'] == 0" && return
        echo "   $(value "d['lost_records']") records were lost"
    done
}

# What the statistics count, the trace has.
whole run "$TOOLS/workset" 15 >"$work/said"
cat "$work/said"
expect_swapped 'the program' "$work/stats"
expect 'nothing was lost' holds "d['lost_records'] == 0 and d['warning'] == '' and d['ended']"
expect 'all faults that read are there' \
    holds "d['events']['fault_read']['count'] == $(statistic faults_major "$work/stats")"
expect 'all other faults, too' holds "abs(sum(v['count'] for k, v in d['events'].items() if k in
    ('fault_fresh', 'fault_masked', 'fault_protected')) - $(statistic faults_minor "$work/stats")) <= 2"
expect 'all that left memory' holds "abs(d['events']['evict']['pages'] + d['events']['drop']['pages'] -
    $(statistic objects_evicted "$work/stats")) <= 300"
expect 'every byte read' holds "d['events']['read']['pages'] * 4096 == $(statistic bytes_read "$work/stats")"
expect 'every byte written' \
    holds "abs(d['events']['write']['pages'] * 4096 - $(statistic bytes_written "$work/stats")) <= 1 << 20"
expect 'the levels stay within the budget' \
    holds "0 < max(l[0] for l in d['levels']) <= 12 << 8 and max(l[2] for l in d['levels']) > 2 << 8"
expect 'the curve has the pages read at the budget' holds "abs([m for b, m in d['curve'] if b >= 12 << 20][0] -
    d['events']['fault_read']['count'] - d['read_ahead']['pages']) < 0.2 * (1 + d['read_ahead']['pages'] + d['events']['fault_read']['count'])"
expect 'nothing would be read with all the memory' holds "d['curve'][-1][1] == 0"
expect 'all that is needed is about what the program has' holds "13 << 20 < d['needed_bytes'] < 27 << 20"
expect 'the heat maps have the faults' holds "sum(map(sum, d['heat_reads'])) == d['events']['fault_read']['count']"
expect 'the region is named' holds "any(r['name'] == 'heap' and r['left_pages'] > 1000 for r in d['regions'])"
expect 'the file is private' [ "$(stat -c %a "$trace")" = 600 ]

# Compressed RAM is a tier of its own.
shrinking() { USWAP_COMPRESS=lz4 "$@" python3 -c 'kept = [b"%08d" % i * 512 for i in range(5000)]; print(sum(k[9] for k in kept + kept[::-1]))' >"$work/out"; }
whole shrinking run
expect 'compressed RAM is a part of what is resident, and holds a part of what is swapped' \
    holds "d['levels_fields'][4:] == ['compressed_ram', 'compressed'] and any(0 < l[4] < l[5] and l[4] < l[0] for l in d['levels'])"
expect 'what came back from it is not taken for a read from a store' \
    holds "d['events']['fault_compressed']['count'] == $(statistic faults_compressed "$work/stats") > 100"
expect 'nor the other way round' \
    holds "d['events']['fault_read']['count'] == $(($(statistic faults_major "$work/stats") - $(statistic faults_compressed "$work/stats")))"
expect 'its faults have times of their own' holds "sum(d['latency']['compressed']['counts']) == d['events']['fault_compressed']['count']"
expect 'the read map leaves them out' holds "sum(map(sum, d['heat_reads'])) == d['events']['fault_read']['count']"
expect 'so does the curve' holds "abs([m for b, m in d['curve'] if b >= 12 << 20][0] - d['events']['fault_read']['count'] -
    d['read_ahead']['pages'] + d['read_ahead']['compressed']) < 100 + 0.2 * d['events']['fault_read']['count']"
shrinking "$USWAP" run --ram 12M --swap "$work/swap:1G" --stats - -- 2>"$work/err"
expect 'the summary has both' grep -qE '[0-9]+ faults read from a store, [1-9][0-9]* from compressed RAM, [0-9]+ were in memory' "$work/err"
expect 'at most what there is' holds "8 << 20 < d['compressed_peak_bytes'] <= d['demand_peak_bytes']"

# Names: with debug information, and of exported functions without.
cat >"$work/walk.c" <<'END'
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <unistd.h>
__attribute__((noinline, noclone)) long walk_through(const char *memory, size_t size)
{
    long sum = 0;
    for (size_t i = 0; i < size; i += 4096)
        sum += memory[i];
    return sum;
}
__attribute__((noinline, noclone)) void fill_it(char *memory, size_t size, int value)
{
    memset(memory, value, size);
    __asm__ volatile("" ::: "memory");
}
int main(int argc, char **argv)
{
    size_t size = 20 << 20;
    for (int fd = 3; argc > 1 && fd < 4096; fd++)
        close(fd);
    char *memory = malloc(size);
    long sum = 0;
    for (int i = 0; i < 2; i++) {
        fill_it(memory, size, i);
        sum += walk_through(memory, size);
    }
    printf("%ld\n", sum);
}
END
has_site() { holds "any(s['function'] == '$1' and '$2' in s['place'] and s['through'].find('$3') >= 0 for s in d['sites'])"; }
command -v cc >/dev/null || skip "there is no compiler"
cc -g -O1 -o "$work/walk" "$work/walk.c"
if [ -e /usr/lib/*/libdw.so.1 ]; then
    run "$work/walk" >"$work/out"
    expect "it runs" grep -q 5120 "$work/out"
    report "$trace"
    expect 'a line of the source' has_site walk_through walk.c:9 ''
    expect 'who called memset' has_site fill_it walk.c:14 memset
    cc -O1 -s -rdynamic -o "$work/walk" "$work/walk.c"
    report "$trace"
    expect 'no names of a file that has changed' holds "all(s['function'] != 'walk_through' for s in d['sites'])"
    run "$work/walk" >"$work/out"
    report "$trace"
    expect 'an exported function' has_site walk_through walk+ ''
    expect 'names are without versions' holds "not any('@' in s['function'] + s['through'] for s in d['sites'])"
else
    echo 'not tested: names, for lack of libdw'
fi

# Children have files of their own; a program that is replaced by another has one.
run bash -c '"$0" & wait; exec "$0" "a b"' "$work/walk" >"$work/out"
expect 'two files' [ "$(ls "$trace" "$trace".* | wc -l)" -ge 2 ]
report "$trace"
expect 'the first is that of what it became' holds "d['command'].endswith('walk a b') and d['events']['fault_read']['count'] > 0"
child=$(grep -la "$work/walk\b" "$trace".*)
report "$child"
expect 'the other is that of the child' holds "d['pid'] == ${child##*.} and d['events']['fault_read']['count'] > 0"
rm -f "$trace" "$trace".*

# It is killed: what was written can be read.
"$USWAP" run --ram 12M --swap "$work/swap:1G" --trace "$trace" -- "$TOOLS/workset" 24 busy &
pid=$!
trap 'kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
for ((i = 0; i < 200; i++)); do
    [ "$(stat -c %s "$trace" 2>/dev/null || echo 0)" -gt 500000 ] && break
    sleep 0.1
done
kill -9 $pid
wait $pid 2>/dev/null
expect 'a killed program leaves a trace' report "$trace"
expect 'of much of what it did' holds "not d['ended'] and d['events']['fault_read']['count'] > 100"
expect_not 'but for the block that it was just writing' grep -qv 'ends in the middle of a block' "$work/err"

# A descriptor that the program knows nothing of, and does not disturb.
run "$work/walk" close >"$work/out"
expect 'a program that closes all descriptors is traced' report "$trace"
expect 'to its end' holds "d['ended'] and d['warning'] == ''"

# Files that are none, or no more.
refused() {
    "$USWAP" report "$@" >"$work/out" 2>"$work/err"
    expect "exit code 2: report $*" [ $? -eq 2 ]
    expect "one line: $(cat "$work/err")" [ "$(wc -l <"$work/err")" -eq 1 ]
}
refused "$work/none"
refused /bin/ls
refused /dev/null
refused "$work"
refused
refused "$trace" "$trace"
: >"$work/empty" && refused "$work/empty"
{ head -c 8 "$trace"; printf '\377'; tail -c +10 "$trace"; } >"$work/other" && refused "$work/other"
refused --output "$work/none/x.html" "$trace"
head -c -10 "$trace" >"$work/cut"
expect 'a file that was cut off is read' report "$work/cut"
expect 'with a warning' grep -q 'ends in the middle of a block' "$work/err"
half=$(($(stat -c %s "$trace") / 2))
{ head -c $half "$trace"; printf 'damaged!'; tail -c +$((half + 9)) "$trace"; } >"$work/bad"
expect 'so is a damaged one' report "$work/bad"
expect 'with a warning' grep -q 'is damaged at byte' "$work/err"
expect 'and what lies before' holds "d['records'] > 0 and 'damaged' in d['warning']"
"$USWAP" run --ram 12M --trace "$work/none/t" -- true 2>"$work/err"
expect 'exit code 2: a trace that cannot be written' [ $? -eq 2 ]
expect 'it says so' grep -q -- '--trace .*/none/t: cannot be written' "$work/err"

# A trace that takes longer than a second to read: the same blocks over and over.
python3 - "$trace" "$work/long" <<'END'
import sys
data = open(sys.argv[1], 'rb').read()
with open(sys.argv[2], 'wb') as out:
    out.write(data[:512])
    for _ in range((120 << 20) // len(data)): out.write(data[512:])
END
on_terminal "$USWAP report --json $work/long >$work/json"
expect_progress 'on a terminal, how far it is' '(reading|counting|regions|distances): [0-9]+ %'
rm "$work/long"

# A full disk ends the trace, not the program.
if [ "$(id -u)" -eq 0 ] && mkdir "$work/small" && mount -t tmpfs -o size=64k none "$work/small" 2>"$work/err"; then
    "$USWAP" run --ram 12M --swap "$work/swap:1G" --trace "$work/small/t" -- "$work/walk" >"$work/out" 2>"$work/err"
    expect 'the program does not notice a full disk' [ $? -eq 0 ]
    expect 'one message' [ "$(grep -c 'the trace ends here' "$work/err")" -eq 1 ]
    "$USWAP" report --json "$work/small/t" >"$work/json" 2>"$work/err"
    expect 'the rest can be read' holds "d['records'] > 0"
    umount "$work/small"
fi
finish
