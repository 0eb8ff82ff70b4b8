#!/bin/bash
# SPDX-License-Identifier: MIT
# test_pool.sh WHAT: processes that share a budget, as `uswap run` and `uswap pool` make them. What is resident is
# looked at from outside: the sum of RSS, or the peak of a cgroup (v1) around all of them.
. "$(dirname "$0")/lib.sh"
unset USWAP_POOL
share=$TOOLS/share
pool=test-$$-$1
trap 'kill $(jobs -p) 2>/dev/null; wait; "$USWAP" pool rm $pool 2>/dev/null; "$USWAP" pool rm $pool-2 2>/dev/null; rm -rf "$work"' EXIT

# member NAME POOL ARGUMENT...: in the background, its output in $work/NAME.
member() {
    local name=$1
    "$USWAP" run --pool "$2" --swap "$work/swap:2G" --stats "$work/$name.json" -- "$share" "${@:3}" >"$work/$name" 2>&1 &
}

# holds POOL [PID]: KiB that the pool's members hold (of one: of that).
holds() {
    "$USWAP" pool show "$1" | awk -v pid="${2:-}" 'NR > 2 && (pid == "" || $1 == pid) {
        unit = substr($4, length($4)); n = $4 + 0
        sum += unit == "G" ? n * 1048576 : unit == "M" ? n * 1024 : unit == "K" ? n : n / 1024 } END { print int(sum) }'
}

members() {
    "$USWAP" pool show "$1" | awk 'NR > 2' | wc -l
}

# until WHAT SECONDS CONDITION...: it comes true in time.
until_true() {
    local what=$1 end
    end=$(awk -v now="$(date +%s.%N)" -v more="$2" 'BEGIN { printf "%.3f", now + more }')
    shift 2
    until "$@"; do
        awk -v now="$(date +%s.%N)" -v end="$end" 'BEGIN { exit !(now > end) }' && break
        sleep 0.02
    done
    expect "$what" "$@"
}

descendants() {
    echo "$1"
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do descendants "$child"; done
}

# rss_sum PID: of that process and all that descends from it, without the files that they share.
rss_sum() {
    local sum=0 kib pid
    for pid in $(descendants "$1"); do
        kib=$(awk '/^RssAnon|^RssShmem/ { sum += $2 } END { print sum + 0 }' /proc/$pid/status 2>/dev/null)
        sum=$((sum + ${kib:-0}))
    done
    echo $sum
}

holds_less() { [ "$(holds "$1" "${3:-}")" -le "$2" ]; }
holds_more() { [ "$(holds "$1" "${3:-}")" -ge "$2" ]; }
no_members() { [ "$(members "$1")" -eq 0 ]; }

test_commands() {
    expect 'a pool is made' "$USWAP" pool create $pool --ram 64M --min-per-process 1M
    expect 'it is listed' grep -q "^$pool .*64M" <("$USWAP" pool ls)
    expect_not 'not twice' "$USWAP" pool create $pool --ram 64M
    expect 'its file is private' [ "$(stat -c %a "/dev/shm/uswap-pool-$(id -u)-$pool")" = 600 ]
    member one $pool 32 4 random
    until_true 'the member is shown' 5 holds_more $pool 8192
    expect_not 'a pool with members stays' "$USWAP" pool rm $pool
    "$USWAP" stat $pool >"$work/stat"
    expect 'stat has a header, the member and a total' [ "$(wc -l <"$work/stat")" -eq 3 ]
    expect 'the total is that of the only member' [ "$(awk 'NR > 1 { print $2, $3, $4, $11 }' "$work/stat" | uniq | wc -l)" -eq 1 ]
    "$USWAP" stat --json --interval 0.1 --count 2 $pool >"$work/stat"
    expect 'the same as JSON, with rates' python3 -c 'import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert [("pool" in line) for line in lines] == [False, True, False, True]
assert lines[3]["pool"] == sys.argv[2] and lines[3]["processes"] == 1 and lines[3]["per_second"]["faults_minor"] >= 0
for name in ("faults_minor", "faults_major", "resident_bytes"): assert lines[3][name] == lines[2][name], name' "$work/stat" $pool
    "$USWAP" stat $pool-none 2>"$work/err"
    expect 'exit code 2: stat of no pool' [ $? -eq 2 ]
    wait
    expect 'every word was right' grep -q '^peak' "$work/one"
    expect 'the budget is the pool' [ "$(statistic ram_budget_bytes "$work/one.json")" -eq $((64 << 20)) ]
    expect 'it can be removed' "$USWAP" pool rm $pool
    expect_not 'it is gone' "$USWAP" pool show $pool
    for wrong in "create" "create .x --ram 64M" "create $pool" "create $pool --ram 1M" "create $pool --ram 64M --mode 9" \
        "create $pool --ram 64M --group nosuchgroup" "create $pool --ram 64M --min-per-process 40M" "" "frob" "resize $pool" "show a/b/c" \
        "create a/b --ram 64M"; do
        "$USWAP" pool $wrong >/dev/null 2>"$work/err"
        expect "pool $wrong: exit code 2" [ $? -eq 2 ]
        expect "pool $wrong: one message" [ "$(wc -l <"$work/err")" -eq 1 ]
    done
    "$USWAP" run --ram 32M --min-per-process 17M -- true 2>"$work/err"
    expect 'shares of more than half are refused' [ $? -eq 2 ]
    expect 'with a message' grep -q -e '--min-per-process 17M is more than half of the RAM budget of 32M' "$work/err"
    "$USWAP" run --pool $pool -- true 2>"$work/err"
    expect 'a pool that is not there is refused' [ $? -eq 2 ]
    head -c 100000 /dev/urandom >"/dev/shm/uswap-pool-$(id -u)-$pool"
    "$USWAP" run --pool $pool -- true 2>"$work/err"
    expect 'a foreign file is refused' [ $? -eq 2 ]
    expect 'with a message' grep -q 'not a pool file' "$work/err"
    rm "/dev/shm/uswap-pool-$(id -u)-$pool"
}

# Made, joined and removed at the same time: each step is done or refused, none takes a pool from who is in it.
race() {
    local status end=$((SECONDS + 3))
    while [ $SECONDS -lt $end ]; do
        "$USWAP" pool create $pool --ram 16M
        "$USWAP" run --pool $pool --swap "$work/swap:64M" -- "$share" 4 0 hold
        status=$?
        [ $status -eq 0 ] || [ $status -eq 2 ] || fail "run in a race: exit code $status"
        "$USWAP" pool rm $pool
    done
}

test_race() {
    for i in 1 2 3; do race >"$work/race.$i" 2>&1 & done
    wait
    expect_not 'no step failed' grep -h FAILED "$work"/race.*
    expect 'members ran' [ "$(cat "$work"/race.* | grep -c '^peak')" -gt 5 ]
    "$USWAP" pool rm $pool 2>/dev/null
    expect 'nothing is left' [ ! -e "/dev/shm/uswap-pool-$(id -u)-$pool" ]
}

# An idle member gives its memory up, a stopped one is passed over, a killed one's share comes back.
test_members() {
    local idle stopped killed before
    "$USWAP" pool create $pool --ram 48M --min-per-process 2M
    member idle $pool 40 60 hold
    idle=$!
    until_true 'one member has all it needs' 10 holds_more $pool 40000 $idle
    member active $pool 40 20 random
    active=$!
    until_true 'an idle member gives its memory up' 18 holds_less $pool 16384 $idle
    expect 'the active one has it' holds_more $pool 24000 $active
    wait $active
    expect 'every word was right' grep -q '^peak' "$work/active"
    expect_swapped 'active' "$work/active.json"
    kill -9 $idle
    until_true 'the memory of a killed member comes back within a second' 1 no_members $pool

    member stopped $pool 40 60 hold
    stopped=$!
    until_true 'one member has all it needs' 10 holds_more $pool 40000 $stopped
    kill -STOP $stopped
    before=$(date +%s%N)
    member active $pool 16 2 random
    wait $!
    expect 'every word was right beside a stopped member' grep -q '^peak' "$work/active"
    echo "   with a stopped member: $((($(date +%s%N) - before) / 1000000)) ms, $(grep rounds "$work/active")"
    expect 'the stopped one held nobody up' [ "$(sed -n 's/rounds //p' "$work/active")" -gt 100 ]
    kill -CONT $stopped
    kill -9 $stopped
    until_true 'the memory of a killed member comes back within a second' 1 no_members $pool
}

test_resize() {
    "$USWAP" pool create $pool --ram 96M --min-per-process 2M
    for i in 1 2 3; do member m$i $pool 64 10 random; done
    sleep 2
    for size in 32M 80M 24M 128M 40M; do
        expect "resized to $size under load" "$USWAP" pool resize $pool $size
        expect 'what is held fits' holds_less $pool $((${size%M} * 1024))
    done
    expect 'set does it, too' grep -qx "pool $pool: the budget is 36M" <("$USWAP" set $pool ram=36M)
    expect 'what is held fits' holds_less $pool $((36 * 1024))
    kill -STOP $(jobs -p)
    "$USWAP" set --wait 0.5 $pool ram=8M 2>"$work/err"
    expect 'exit code 1: nobody gives back anything' [ $? -eq 1 ]
    on_terminal "$USWAP set --wait 1.7 $pool ram=8M"
    expect_progress 'on a terminal, after a second, how much is left' "pool $pool: members give memory back: 1 s, [0-9.]+M left"
    kill -CONT $(jobs -p)
    expect 'and says that nothing changed' grep -q 'it stays at 36M' "$work/err"
    expect_not 'nor by resize' "$USWAP" pool resize $pool 4M
    wait
    for i in 1 2 3; do expect "every word of $i was right" grep -q '^peak' "$work/m$i"; done
}

test_two() {
    "$USWAP" pool create $pool --ram 32M --min-per-process 2M
    "$USWAP" pool create $pool-2 --ram 64M --min-per-process 2M
    for i in 1 2; do
        member a$i $pool 40 4 random
        member b$i $pool-2 40 4 random
    done
    until_true 'the second one is used' 3 holds_more $pool-2 40000
    # What passes from one member to the other between two lines is in both: it is looked at again.
    for i in 1 2 3 4 5 6; do
        sleep 0.5
        until_true 'the first pool holds' 0.5 holds_less $pool 32768
        until_true 'the second pool holds' 0.5 holds_less $pool-2 65536
    done
    wait
    for i in a1 a2 b1 b2; do expect "every word of $i was right" grep -q '^peak' "$work/$i"; done
}

# Only who may open the file may join.
test_user() {
    [ "$(id -u)" -eq 0 ] || skip 'only root can become somebody else'
    local as=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all)
    chmod 755 "$work"
    mkdir "$work/bin"
    cp "$USWAP" "$(dirname "$USWAP")/libuswap-preload.so" "$share" "$work/bin"
    chown 65534:65534 "$work/swap"
    join() { "${as[@]}" "$work/bin/uswap" run --pool root/$pool --swap "$work/swap:1G" -- "$work/bin/share" 8 0.2 random; }
    "$USWAP" pool create $pool --ram 32M
    join >"$work/out" 2>&1
    expect 'a private pool is closed to another user' [ $? -eq 2 ]
    expect 'with a message' grep -q 'EACCES' "$work/out"
    "$USWAP" pool rm $pool
    "$USWAP" pool create $pool --ram 32M --mode 0660 --group nogroup
    join >"$work/out" 2>&1
    expect 'a group may be let in' [ $? -eq 0 ]
    expect 'the name alone is another one' [ "$("${as[@]}" "$work/bin/uswap" pool show $pool >/dev/null 2>&1; echo $?)" -eq 2 ]
    "${as[@]}" "$work/bin/uswap" pool create $pool --ram 32M
    expect 'each user has names of its own' "${as[@]}" "$work/bin/uswap" pool rm $pool
    # Squatting: a file of another user at the place of ours.
    mv "/dev/shm/uswap-pool-0-$pool" "/dev/shm/uswap-pool-65534-$pool"
    join_as() { "$USWAP" run --pool 65534/$pool -- true; }
    join_as >"$work/out" 2>&1
    expect 'a file of another owner is refused' [ $? -eq 2 ]
    rm "/dev/shm/uswap-pool-65534-$pool"
}

# All of a tree within one budget: 4 processes of 48M under 64M, seen by the kernel.
test_tree() {
    local own limit group=/sys/fs/cgroup/memory/uswap-test-$$ peak=0 sum=0 now
    [ "$(id -u)" -eq 0 ] && mkdir $group 2>/dev/null || group=
    cat >"$work/tree.sh" <<-END
	for i in 1 2 3 4; do "$share" 48 4 random & done
	wait
	END
    (
        [ -z "$group" ] || echo $BASHPID >$group/cgroup.procs
        exec "$USWAP" run --ram 64M --swap "$work/swap:2G" -- sh "$work/tree.sh"
    ) >"$work/out" 2>&1 &
    while kill -0 $! 2>/dev/null; do
        now=$(rss_sum $!)
        [ "$now" -le $sum ] || sum=$now
        sleep 0.05
    done
    expect 'every word of all was right' [ "$(grep -c '^peak' "$work/out")" -eq 4 ]
    cat "$work/out" | sed 's/^/   /'
    # Each process has about 1.5 MiB of its own: code, stacks, libc.
    limit=$((65536 + 5 * 2048 + 8192))
    echo "   sum of RSS at most $sum KiB, limit $limit KiB"
    expect 'the sum of RSS is within the budget' [ "$sum" -le $limit ]
    expect 'the budget was used' [ "$sum" -gt 40000 ]
    if [ -n "$group" ]; then
        peak=$(($(cat $group/memory.max_usage_in_bytes) / 1024))
        rmdir $group
        echo "   cgroup: peak $peak KiB, limit $limit KiB"
        expect 'the peak of the cgroup is within the budget' [ "$peak" -le $limit ]
    fi
    "$USWAP" run --ram 16M --swap "$work/swap:2G" -- sh -c "$USWAP run --ram 24M --stats $work/inner.json -- $share 4 0 hold" >/dev/null
    expect 'a run in a run has its own budget' [ "$(statistic ram_budget_bytes "$work/inner.json")" -eq $((24 << 20)) ]
    "$USWAP" run --ram 16M --swap "$work/swap:2G" -- sh -c "$USWAP run --stats $work/inner.json -- $share 4 0 hold" >/dev/null
    expect 'or none' [ "$(statistic ram_budget_bytes "$work/inner.json")" -eq $((16 << 20)) ]
    expect 'nothing is left' [ -z "$(ls /dev/shm | grep uswap-pool)" ]
}

# Many begin at once while others want the CPU: none may think that nothing can leave, because the store is only being
# made. Without that care one run in three said so.
test_crowd() {
    local run i
    seq 1 40000 | shuf --random-source=<(yes) >"$work/numbers"
    sort -n "$work/numbers" >"$work/sorted"
    for i in 1 2 3 4 5 6; do
        (while :; do :; done) &
    done
    cat >"$work/crowd.sh" <<-END
	for i in 1 2 3 4 5; do sort -n --buffer-size=6M --parallel=2 "$work/numbers" -o "$work/out.\$i" & done
	wait
	END
    for ((run = 0; run < 10; run++)); do
        "$USWAP" run --ram 12M --swap "$work/swap:1G" -- sh "$work/crowd.sh" >"$work/log" 2>&1
        expect "run $run: nothing is said" [ ! -s "$work/log" ]
        for i in 1 2 3 4 5; do
            cmp "$work/sorted" "$work/out.$i" || fail "run $run: what $i sorted is wrong"
        done
    done
    cat "$work/log"
}

test_"$1"
finish
