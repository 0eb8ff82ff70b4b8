#!/bin/bash
# SPDX-License-Identifier: MIT
# What the command says and does when something is wrong: exit code, one message, no program started.
. "$(dirname "$0")/lib.sh"

# refused PATTERN ARG...: uswap ARG... says one line that has PATTERN and ends with 2.
refused() {
    local pattern=$1
    shift
    "${wrapper[@]}" "$USWAP" "$@" >"$work/out" 2>"$work/err" </dev/null
    expect "exit code 2: uswap $*" [ $? -eq 2 ]
    expect "message has '$pattern'" grep -qF -- "$pattern" "$work/err"
    expect "one line" [ "$(wc -l <"$work/err")" -eq 1 ]
    expect_not "the program was not started" [ -e "$work/started" ]
    rm -f "$work/started"
}
wrapper=(env)
start=(touch "$work/started")

# The budget.
refused '--ram 5X: not a size' run --ram 5X -- "${start[@]}"
refused '--ram 5X: not a size' run --ram=5X -- "${start[@]}"
refused '--ram : not a size' run --ram '' -- "${start[@]}"
refused '--ram -1G: not a size' run --ram -1G -- "${start[@]}"
refused '--ram 4M: the budget is too small; give at least 8M' run --ram 4M -- "${start[@]}"
refused '--ram 0: the budget is too small' run --ram 0 "${start[@]}"
refused '--ram 101%: more than there can be' run --ram 101% "${start[@]}"
refused '--ram: the value is missing; give SIZE' run --ram

# The stores.
mkdir "$work/sealed"
echo data >"$work/data"
refused "$work/none/file" run --swap "$work/none/file" -- "${start[@]}"
refused '/proc' run --swap /proc -- "${start[@]}"
refused "$work/data" run --swap "$work/data" -- "${start[@]}"
refused '/dev/null' run --swap /dev/null -- "${start[@]}"
refused '--swap :1G: the path is missing' run --swap :1G -- "${start[@]}"
refused "--swap $work/swap:lots: what follows the colon is not a size" \
    run --swap "$work/swap:lots" -- "${start[@]}"
refused '--swap: the value is missing; give PATH[:SIZE]' run --swap
expect 'a file that holds data was left alone' [ "$(cat "$work/data")" = data ]
expect 'nothing was left in the directory' [ -z "$(ls -A "$work/swap")" ]

# The statistics.
refused "--stats $work/none/s.json: cannot be written (ENOENT)" \
    run --stats "$work/none/s.json" -- "${start[@]}"
refused "--stats $work/swap: cannot be written (EISDIR)" run --stats "$work/swap" -- "${start[@]}"
refused '--stats : the file name is missing' run --stats '' -- "${start[@]}"

# The environment says the same.
wrapper=(env USWAP_RAM=lots)
refused 'USWAP_RAM=lots: not a size' run -- "${start[@]}"
wrapper=(env USWAP_SWAP=,)
refused 'USWAP_SWAP=,: the path is missing' run -- "${start[@]}"
wrapper=(env "USWAP_STATS=$work/none/s")
refused "$work/none/s: cannot be written" run -- "${start[@]}"
# Also without the command, and still before the program starts.
wrapper=(env "LD_PRELOAD=$(dirname "$USWAP")/libuswap-preload.so" USWAP_RAM=lots)
command=$USWAP
USWAP=touch
refused 'USWAP_RAM=lots: not a size' "$work/started"
USWAP=$command
wrapper=(env)

# Unknown things.
refused '--rum: no such option' run --rum 1G -- "${start[@]}"
refused 'run: no program is given' run --ram 64M
refused 'run: no program is given' run --ram 64M --
refused 'walk: no such command' walk

# A kernel or a container without userfaultfd.
wrapper=("$TOOLS/deny" userfaultfd)
refused 'userfaultfd' run --ram 64M --swap "$work/swap" -- "${start[@]}"
wrapper=(env)

# As somebody who may not write there.
if [ "$(id -u)" -eq 0 ]; then
    chmod 755 "$work"
    chmod 700 "$work/swap"
    cp "$USWAP" "$(dirname "$USWAP")/libuswap-preload.so" "$work"
    command=$USWAP
    USWAP=$work/uswap
    wrapper=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    refused "$work/swap" run --swap "$work/swap" -- "${start[@]}"
    refused "--stats $work/swap/s: cannot be written (EACCES)" \
        run --stats "$work/swap/s" -- "${start[@]}"
    USWAP=$command
    wrapper=(env)
fi

# The preload library must be there.
mkdir "$work/alone"
cp "$USWAP" "$work/alone"
if "$work/alone/uswap" run true 2>"$work/err"; then
    echo "ok: the installed library was found"
else
    expect 'a missing library is named' grep -q 'libuswap-preload.so' "$work/err"
fi
mkdir "$work/a b"
cp "$USWAP" "$(dirname "$USWAP")/libuswap-preload.so" "$work/a b"
command=$USWAP
USWAP="$work/a b/uswap"
refused 'a space or colon in the path' run -- "${start[@]}"
USWAP=$command

# Programs that cannot be run, as env(1) says it.
"$USWAP" run -- "$work/none" 2>"$work/err"
expect 'exit code 127: no such program' [ $? -eq 127 ]
expect 'it is named' grep -qF "$work/none" "$work/err"
"$USWAP" run -- "$work/data" 2>"$work/err"
expect 'exit code 126: not executable' [ $? -eq 126 ]
expect 'it is named' grep -qF "$work/data" "$work/err"

# Help and version.
"$USWAP" run --help >"$work/help"
expect 'exit code 0: help' [ $? -eq 0 ]
for option in --ram --swap --stats --help; do
    expect "help has $option" grep -q -- "$option" "$work/help"
done
expect 'uswap help run is the same' cmp "$work/help" <("$USWAP" help run)
expect 'uswap run -h is the same' cmp "$work/help" <("$USWAP" run -h)
expect 'uswap help has run' grep -q '^  run ' <("$USWAP" help)
expect 'uswap --help is uswap help' cmp <("$USWAP" help) <("$USWAP" --help)
expect 'version' grep -qE '^uswap [0-9]+\.[0-9]+\.[0-9]+$' <("$USWAP" version)
"$USWAP" 2>"$work/err"
expect 'exit code 2: no command' [ $? -eq 2 ]
# Messages are said once, and only those that were asked for.
if [ -d /dev/shm ] && "$USWAP" run --ram 8M --swap /dev/shm:16M -- true 2>"$work/err"; then
    expect 'a warning is said once' [ "$(grep -c 'is in RAM' "$work/err")" -eq 1 ]
    USWAP_LOG=error "$USWAP" run --ram 8M --swap /dev/shm:16M -- true 2>"$work/err"
    expect 'and not with USWAP_LOG=error' [ ! -s "$work/err" ]
    USWAP_LOG=debug "$USWAP" run --ram 8M --swap /dev/shm:16M --log "$work/log" -- true 2>"$work/err"
    expect 'nor on stderr with --log' [ ! -s "$work/err" ]
    expect 'but there' grep -q 'warning: --swap /dev/shm: is in RAM' "$work/log"
    expect 'with what debug adds' grep -q 'debug: started' "$work/log"
fi
finish
