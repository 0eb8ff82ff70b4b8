#!/bin/bash
# SPDX-License-Identifier: MIT
# uswap top in a real terminal: sizes, without colours, a process that ends while it is open.
. "$(dirname "$0")/lib.sh"
command -v tmux >/dev/null || skip 'tmux is missing'

# Each terminal has a server of its own: a new one must not meet one that is about to end.
server=1
terminal() { tmux -L "uswap-$$-$server" "$@"; }
trap 'kill -9 $pid 2>/dev/null; terminal kill-server 2>/dev/null; rm -rf "$work"' EXIT

"$USWAP" run --ram 16M --swap "$work/swap:4G" -- "$TOOLS/workset" 40 busy >"$work/out" &
pid=$!

# open WIDTH HEIGHT LOCALE TERM [VARIABLE=VALUE]
open() {
    terminal -f /dev/null new-session -d -x "$1" -y "$2" -s top \
        "env LC_ALL=$3 TERM=$4 ${5:-} $USWAP top --interval 0.2 2>$work/err; echo ended \$?; sleep 1000"
}

# screen_has WHAT PATTERN: within 20 s.
screen_has() {
    local i
    for ((i = 0; i < 100; i++)); do
        terminal capture-pane -p -t top >"$work/screen" 2>/dev/null
        if grep -qE -- "$2" "$work/screen"; then
            echo "ok: $1"
            return
        fi
        sleep 0.2
    done
    fail "$1: no $2 in:"
    cat "$work/screen"
}
# Others may run under uswap on this machine: go down the list until Enter opens ours.
open_ours() {
    local i
    for ((i = 0; i < 50; i++)); do
        terminal send-keys -t top Enter
        sleep 0.3
        terminal capture-pane -p -t top | head -n 1 | grep -q "^ $pid " && return
        terminal send-keys -t top Escape
        sleep 0.2
        terminal send-keys -t top Down
    done
    fail "process $pid is not in the list"
}
fits() { [ "$(wc -L <"$work/screen")" -le "$1" ]; }

open 80 24 C.UTF-8 screen-256color
screen_has 'the process is listed' "^ +$pid .*workset 40 busy"
screen_has 'with a bar for memory in both tiers' "$pid.*█+▒+"
screen_has 'and it swaps' 'swapped  ▒+'
expect 'nothing is wider than the screen' fits 80
terminal send-keys -t top '>'
screen_has 'sorted by the next column' 'sorted by USER'
open_ours
screen_has 'Enter opens it' 'HOTTEST REGIONS'
screen_has 'with its regions' '^ heap '
screen_has 'and the times of reads' '^ up to '
terminal send-keys -t top b
screen_has 'b asks for a budget' "new RAM budget of $pid"
terminal send-keys -t top 24M Enter
screen_has 'and the process obeys' 'the budget is 24M'
terminal send-keys -t top b
screen_has 'once more' "new RAM budget of $pid"
terminal send-keys -t top lots Enter
screen_has 'nonsense is refused' 'lots: not a size'
terminal send-keys -t top b 9 9 BSpace M
screen_has 'what is typed can be changed' "new RAM budget of $pid \(as 2G\): 9M *$"
terminal send-keys -t top Escape
sleep 0.5
screen_has 'and left' 'read ahead'
expect_not 'without a question' grep -q 'new RAM budget' "$work/screen"
expect 'and as it was' grep -q " $pid .* 24M " <("$USWAP" ps)
terminal resize-window -t top -x 40 -y 10
screen_has 'a small window shows what fits' '^ RAM +[0-9.]+M of'
sleep 0.5
terminal capture-pane -p -t top >"$work/screen"
expect 'and nothing more' fits 40
terminal send-keys -t top Escape
screen_has 'Escape goes back' "^ +$pid "
terminal resize-window -t top -x 30 -y 16
screen_has 'a very narrow one cuts nothing off: rates' '^ reads [0-9.]+K?/s +in [0-9.]+[KMG]?/s *$'
screen_has 'and the title' '^ uswap top  [0-9]+ process(es)? *$'
open_ours
screen_has 'and regions' '^ HOTTEST +READS/s +OUT/s *$'
terminal send-keys -t top Escape
terminal resize-window -t top -x 110 -y 30
screen_has 'a large one has more columns' 'USER.*POOL.*TREND.*p99'
open_ours
screen_has 'open again' 'HOTTEST REGIONS'
kill -9 $pid
wait $pid 2>/dev/null
screen_has 'a process that ends is said to have' "$pid has ended"
terminal send-keys -t top q
screen_has 'q ends it well' 'ended 0'
expect 'nothing was written to stderr' [ ! -s "$work/err" ]
terminal kill-server
server=2

# What shrinks is a tier of its own.
"$USWAP" run --ram 16M --swap "$work/swap:4G" --compress lz4 -- python3 -c 'import random, time
kept = [b"%08d" % i * 512 for i in range(8000)], [random.randbytes(4096) for i in range(4000)]
time.sleep(1000)' &
pid=$!
open 80 24 C vt100
screen_has 'without colours and UTF-8, by tier' "$pid.*#+%+=+"
screen_has 'as in the head: of what is resident' '^ RAM +#+%+'
screen_has 'and of what is swapped' '^ swapped +%+=+'
expect_not 'no other characters' grep -qP '[^\x00-\x7f]' "$work/screen"
terminal send-keys -t top C-c
screen_has 'an interrupt ends it well, too' 'ended 0'
colours() { terminal capture-pane -p -e -t top | grep -q $'\e\[[0-9;]*3[1-6]m'; }
for given in NO_COLOR= NO_COLOR=1; do
    terminal kill-server
    server=$((server + 1))
    open 80 24 C.UTF-8 screen-256color $given
    screen_has "bars with $given" '^ RAM .*█▓'
    if [ $given = NO_COLOR= ]; then expect 'in colour' colours; else expect_not 'not in colour' colours; fi
done

"$USWAP" top </dev/null >"$work/out" 2>"$work/err"
expect 'exit code 2: no terminal' [ $? -eq 2 ]
expect 'it says what to use instead' grep -q 'uswap stat' "$work/err"
finish
