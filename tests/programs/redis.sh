#!/bin/bash
# SPDX-License-Identifier: MIT
# redis-server: every key keeps its value under the load of redis-benchmark, a BGSAVE and a rewrite of the
# append-only file, and comes back from each of the two files in a server without uswap.
. "$(dirname "$0")/lib.sh"
need redis-server redis-cli redis-benchmark
count=$(pick 60000 250000 16000)
mkdir "$work/data"

ask() {
    redis-cli -p "$port" "$@"
}

# The commands that set the keys, and what GET of each must say.
awk -v n="$count" -v dir="$work" 'BEGIN { for (i = 0; i < n; i++) {
    value = sprintf("%0" (100 + i * 7919 % 200) "d", i * 31)
    print "SET check:" i " " value > (dir "/set")
    print "GET check:" i > (dir "/get")
    print value > (dir "/values") } }'

# start COMMAND...: a server, by this command.
start() {
    port=$(free_port)
    serve "$@" --port "$port" --bind 127.0.0.1 --dir "$work/data" --save '' --loglevel warning
    expect 'redis-server answers' wait_for eval 'ask ping | grep -q PONG'
}

load() {
    redis-benchmark -p "$port" -q -P 16 -c 20 -r "$(pick 1000 20000 300)" -d 150 -n "$(pick 3000 100000 600)" \
        -t set,get,incr,lpush,lpop,hset,zadd,mset >"$work/benchmark"
}

check_keys() {
    expect "$1: every key has its value" cmp "$work/values" <(ask <"$work/get")
}

start redis-server
ask <"$work/set" >/dev/null
load
set_budget "$(peak_of "$server")"
stopped TERM

SECONDS=0
start "${within[@]}" redis-server --appendonly yes
expect 'every key was set' [ "$(ask <"$work/set" | grep -c '^OK')" -eq "$count" ]
check_keys 'at rest'
load &
loader=$!
ask bgsave >/dev/null
check_keys 'under load and BGSAVE'
wait_for eval 'ask info persistence | grep -q "rdb_bgsave_in_progress:0"'
# A child that is killed by a signal leaves no statistics, and tells only here.
expect 'BGSAVE ended well' grep -q 'rdb_last_bgsave_status:ok' <(ask info persistence)
wait_for eval 'ask bgrewriteaof | grep -q started'
check_keys 'under load and a rewrite'
wait $loader
expect 'redis-benchmark ended well' [ $? -eq 0 ]
wait_for eval 'ask info persistence | grep -q "aof_rewrite_in_progress:0"'
expect 'the rewrite ended well' grep -q 'aof_last_bgrewrite_status:ok' <(ask info persistence)
keys=$(ask dbsize)
stopped TERM
expect 'exit code 0' [ $code -eq 0 ]
expect_swapping redis-server
echo "   within the budget: $SECONDS s"

start redis-server --appendonly yes
expect 'as many keys come back from the append-only file' [ "$(ask dbsize)" = "$keys" ]
check_keys 'from the append-only file'
stopped TERM
start redis-server
check_keys 'from the dump'
stopped TERM
finish
