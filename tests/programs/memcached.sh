#!/bin/bash
# SPDX-License-Identifier: MIT
# memcached: what was set is what several clients get, at once and in two orders.
. "$(dirname "$0")/lib.sh"
need memcached
count=$(pick 30000 150000 12000)

# requests BEGIN STEP: of the keys from there on; the answer to each, too, as it must be.
awk -v n="$count" -v dir="$work" 'BEGIN { ORS = "\r\n"; for (i = 0; i < n; i++) {
    value = sprintf("%0" (400 + i * 7919 % 1200) "d", i * 31)
    print "set check:" i " 0 0 " length(value) " noreply" > (dir "/set"); print value > (dir "/set")
    part = i % 2
    print "get check:" i > (dir "/get" part)
    print "VALUE check:" i " 0 " length(value) > (dir "/answer" part)
    print value > (dir "/answer" part); print "END" > (dir "/answer" part) }
    for (part = 0; part < 2; part++) {
        print "quit" > (dir "/get" part) }
    print "quit" > (dir "/set") }'

# tell FILE: send it and say what comes back, until the server closes.
tell() {
    exec 9<>"/dev/tcp/127.0.0.1/$port"
    cat "$1" >&9 &
    cat <&9
    exec 9>&-
}

# start COMMAND...: a server, by this command, that holds all of it.
start() {
    port=$(free_port)
    serve "$@" -l 127.0.0.1 -p "$port" -U 0 -m "$(pick 200 600)" -t 4 -u root
    expect 'memcached answers' wait_for eval '(: <>"/dev/tcp/127.0.0.1/$port")'
}

start memcached
(tell "$work/set")
set_budget "$(peak_of "$server")"
stopped TERM

SECONDS=0
start "${within[@]}" memcached
(tell "$work/set")
for round in $(seq "$(pick 1 2)"); do
    (tell "$work/get0") >"$work/got0" &
    (tell "$work/get1") >"$work/got1"
    wait $!
    expect "round $round: even keys" cmp "$work/answer0" "$work/got0"
    expect "round $round: odd keys" cmp "$work/answer1" "$work/got1"
done
stopped TERM
expect 'exit code 0' [ $code -eq 0 ]
expect_swapping memcached
echo "   within the budget: $SECONDS s"
finish
