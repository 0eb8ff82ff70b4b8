#!/bin/bash
# SPDX-License-Identifier: MIT
# --children: whether what a program executes runs under uswap, in whatever way it is executed; and
# that the program itself does, always.
. "$(dirname "$0")/lib.sh"

# What a program sees of uswap in its environment and its memory.
traces='env | grep -c -e ^USWAP_ -e ^LD_PRELOAD; grep -c libuswap-preload /proc/self/maps'
run=("$USWAP" run --ram 8M --swap "$work/swap:256M")

# found WHAT PATTERN COMMAND...: what the command prints, as one line.
found() {
    local what=$1 pattern=$2
    shift 2
    # shellcheck disable=SC2053
    expect "$what" [ "$("$@" 2>&1 | tr '\n' ' ')" = "$pattern" ]
}

# sh is the program, and executes grep; `read` of its own maps does not.
itself='while read -r line; do case $line in *libuswap-preload*) echo swapped; break;; esac; done </proc/self/maps'
found 'the program itself is swapped' 'swapped ' "${run[@]}" --children no -- bash -c "$itself"
found 'and so are its forked children' 'swapped ' "${run[@]}" --children=no -- bash -c "($itself; :); :"

seen='grep -q libuswap-preload /proc/self/maps && echo swapped || echo plain'
found 'what it executes is swapped by default' 'swapped ' "${run[@]}" -- sh -c "$seen"
found 'and with yes' 'swapped ' "${run[@]}" --children yes -- sh -c "$seen"
found 'with no it is not' 'plain ' "${run[@]}" --children no -- sh -c "$seen"
found 'nor what that executes' 'plain ' "${run[@]}" --children no -- sh -c "sh -c '$seen'; :"
found 'nor what the program becomes' 'plain ' "${run[@]}" --children no -- sh -c "exec sh -c '$seen'"
found 'the environment says it, too' 'plain ' env USWAP_CHILDREN=no "${run[@]}" -- sh -c "$seen"
found 'the option counts more' 'swapped ' env USWAP_CHILDREN=no "${run[@]}" --children yes -- sh -c "$seen"
found 'empty is the default' 'swapped ' env USWAP_CHILDREN= "${run[@]}" -- sh -c "$seen"
found 'awk starts programs with system() and popen()' 'plain plain ' "${run[@]}" --children no -- \
    awk -v "c=$seen" 'BEGIN { system(c); c | getline line; print line }'
found 'python starts them in its own way' 'plain ' "${run[@]}" --children no -- \
    python3 -c 'import subprocess, sys; subprocess.run(sys.argv[1], shell=True)' "$seen"

found 'nothing is left in the environment' '0 0 ' "${run[@]}" --children no -- sh -c "$traces"
found 'what was preloaded before stays, and the rest of the environment' 'KEPT=1 LD_PRELOAD=libm.so.6:libdl.so.2 ' \
    env KEPT=1 LD_PRELOAD=libm.so.6:libdl.so.2 "${run[@]}" --children no -- sh -c 'env | grep -e KEPT -e PRELOAD | sort'
found 'also behind it' 'LD_PRELOAD=libm.so.6: ' \
    env "LD_PRELOAD=libm.so.6:$(dirname "$USWAP")/libuswap-preload.so" USWAP_RAM=8M USWAP_CHILDREN=no sh -c 'env | grep PRELOAD'

"${run[@]}" --children no --stats "$work/stats.json" -- sh -c 'true; true'
expect 'the statistics of the program are written' grep -q faults_minor "$work/stats.json"

"$USWAP" run --children maybe -- touch "$work/started" 2>"$work/err"
expect 'another value: exit code 2' [ $? -eq 2 ]
expect 'with a message' grep -qF -- '--children maybe: write yes or no' "$work/err"
USWAP_CHILDREN=1 "$USWAP" run -- touch "$work/started" 2>"$work/err"
expect 'in the environment: exit code 2' [ $? -eq 2 ]
expect 'with a message that names it' grep -qF 'USWAP_CHILDREN=1: write yes or no' "$work/err"
expect_not 'nothing was started' [ -e "$work/started" ]

# Another user may not write where the stores are.
if [ "$(id -u)" -eq 0 ]; then
    chmod 700 "$work/swap"
    found 'a program that has become another user runs' '65534 with 4 ' "${run[@]}" -- sh -c \
        "setpriv --reuid 65534 --clear-groups sh -c 'id -u; echo with \$0' 4 2>$work/err; :"
    expect 'and says that it is without' grep -q 'runs without uswap' "$work/err"
fi
finish
