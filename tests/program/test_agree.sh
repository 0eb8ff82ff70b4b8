#!/bin/bash
# SPDX-License-Identifier: MIT
# Help, manual pages and completion agree: all have every command and every option of it.
#
#     test_agree.sh SOURCE-DIRECTORY
. "$(dirname "$0")/lib.sh"
man=$1/man

"$USWAP" completion bash >"$work/bash"
"$USWAP" completion zsh >"$work/zsh"
expect 'bash reads its script' bash -n "$work/bash"
if command -v zsh >/dev/null; then
    expect 'zsh reads its script' zsh -n "$work/zsh"
fi
"$USWAP" completion 2>/dev/null
expect 'exit code 2: no shell' [ $? -eq 2 ]

# options_of COMMAND...: the long options that its help has.
options_of() {
    case $1 in pool | region) set -- "$1" create ;; esac
    "$USWAP" "$@" --help | grep -oE '^  (-h, )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u
}

# page_of COMMAND: the manual page that describes it.
page_of() {
    [ -e "$man/uswap-$1.1" ] && echo "$man/uswap-$1.1" || echo "$man/uswap.1"
}

# complete WORD...: what bash would offer for the last one.
complete_bash() {
    bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _uswap; printf "%s\n" "${COMPREPLY[@]}"' \
        "$work/bash" "$@"
}

# Help is for a narrow terminal, and a group's says what there is in it.
for command in '' run ps stat top set report pool 'pool create' 'pool show' region 'region create' bench completion; do
    # shellcheck disable=SC2086 # words are wanted
    "$USWAP" help $command >"$work/help"
    expect "help: ${command:-all} fits in 80 columns" [ "$(wc -L <"$work/help")" -le 80 ]
done
expect 'help: the commands of a group' grep -q '^  resize ' <("$USWAP" help pool)
expect 'help: a command of a group' cmp <("$USWAP" help pool create) <("$USWAP" pool create --help)
"$USWAP" help pool nonsense 2>/dev/null
expect 'exit code 2: a group has no such command' [ $? -eq 2 ]

commands=$("$USWAP" help | sed -n 's/^  \([a-z]*\) .*/\1/p')
# Pages are for a narrow terminal, too: nothing is cut or broken there.
if command -v man >/dev/null; then
    for page in "$man"/uswap*.[137]; do
        MANWIDTH=80 man --warnings -E UTF-8 -l "$page" 2>"$work/err" >/dev/null
        expect "man: $(basename "$page") without a warning" [ ! -s "$work/err" ]
    done
fi

expect 'there are commands' [ "$(wc -l <<<"$commands")" -gt 7 ]
for command in $commands; do
    page=$(page_of "$command")
    expect "man: $command" grep -qE "Cm .*\b$command\b" "$page"
    expect "bash: $command" grep -qx "$command" <(complete_bash uswap "$command")
    expect "zsh: $command" grep -q "^        '$command:" "$work/zsh"
    for option in $(options_of "$command"); do
        expect "man: $command $option" grep -qE "Fl -${option#--}( |$)" "$page"
        case $command in
        pool | region)
            expect "bash: $command create $option" grep -qx -- "$option" <(complete_bash uswap "$command" create --)
            ;;
        *) expect "bash: $command $option" grep -qx -- "$option" <(complete_bash uswap "$command" --) ;;
        esac
        [ "$option" = --help ] ||
            expect "zsh: $command $option" grep -q -- "^            '$option\[" "$work/zsh"
    done
done

# What there is: pools, those of others as one has to write them.
mkdir "$work/bin" && ln -s "$USWAP" "$work/bin/uswap"
export PATH=$work/bin:$PATH
pool=agree-$$
uswap pool create $pool --ram 8M
trap 'uswap pool rm $pool; rm -rf "$work"' EXIT
expect 'bash: commands of a group' grep -qx resize <(complete_bash uswap pool res)
expect 'bash: a pool' grep -qx $pool <(complete_bash uswap pool show agr)
expect 'bash: a pool to set' grep -qx $pool <(complete_bash uswap set agr)
expect 'bash: a pool to join' grep -qx $pool <(complete_bash uswap run --pool agr)
expect_not 'bash: no file behind an option that takes none' grep -q . <(complete_bash uswap stat --json /)
other() { setpriv --reuid 65534 --regid 65534 --clear-groups "$USWAP" pool "$@" 2>"$work/err"; }
if [ "$(id -u)" -eq 0 ] && other create $pool --ram 8M --mode 0666; then
    expect 'bash: that of another user' grep -qx 65534/$pool <(complete_bash uswap pool show 6553)
    expect 'it can be shown by that name' uswap pool show 65534/$pool >"$work/out"
    other rm $pool
fi

# The other way round: what the pages of single commands describe is there.
for page in "$man"/uswap-*.1; do
    command=$(basename "$page" .1)
    command=${command#uswap-}
    for option in $(sed -n 's/^\.It.* Fl -\([a-z-]*\).*/--\1/p' "$page"); do
        expect "help: $command $option" grep -qx -- "$option" <(options_of "$command")
    done
    grep -q "^$command$" <<<"$commands" || fail "$page describes no command"
done
for option in $(sed -n '/Sh DESCRIPTION/,/Sh ENVIRONMENT/s/^\.It.* Fl -\([a-z-]*\).*/--\1/p' "$man/uswap.1"); do
    expect "help: $option" grep -q -- "$option" <("$USWAP" run --help; "$USWAP" pool create --help)
done
# The variables that the readers know are in uswap(7), and the other way round.
for variable in $(grep -ohE '"USWAP_[A-Z_]+=?"' "$1"/src/arena/config.[ch] | tr -d '"=' | sort -u); do
    expect "man: $variable" grep -qE "Ev .*\b$variable\b" "$man/uswap.7"
done
# So are all tracepoints.
for probe in $(grep -rohE 'TRACE_PROBE\([a-z_]+,' "$1/src" | sed 's/.*(//; s/,//' | sort -u | grep -vx name); do
    expect "man: tracepoint $probe" grep -qE "^\.It Sy .*\b$probe\b" "$man/uswap.7"
done
for variable in $(sed -n 's/^\.It Ev //p' "$man/uswap.7" | tr -d ,); do
    expect "code: $variable" grep -rqE "\"$variable=?\"" "$1/src" "$1/cmd"
done
finish
