#!/bin/bash
# SPDX-License-Identifier: MIT
# gcc and clang compile a large file to the same object.
. "$(dirname "$0")/lib.sh"
need gcc clang

# write_source FUNCTIONS: each calls the next one, so they all become one.
write_source() {
    awk -v n="$1" 'BEGIN {
    print "#include <stdio.h>\n#include <string.h>\nstruct s { int a[16]; struct s *next; };"
    for (i = 0; i < n; i++) {
        printf "static int f%d(struct s *s, int n) {\n    int sum = %d;\n", i, i
        printf "    for (struct s *p = s; p; p = p->next)\n"
        printf "        for (int i = 0; i < 16; i++) {\n"
        printf "            switch ((p->a[i] + n) %% 7) {\n"
        for (c = 0; c < 7; c++)
            printf "            case %d: sum += p->a[(i + %d) & 15] * %d; p->a[i] ^= sum; break;\n", c, c, i + c
        printf "            }\n        }\n    return sum%s;\n}\n", i ? " + f" i - 1 "(s, n + 1)" : "" }
    printf "int start(struct s *s) { return f%d(s, 1); }\n", n - 1 }' >"$work/large.c"
}

compilers=(gcc clang)
if $maps_are_swapped; then compilers=(gcc); fi # its garbage collector maps memory; clang only allocates
for compiler in "${compilers[@]}"; do
    swapping=expect_swapping
    # clang -O2 takes 50 s and more for 1000 of them.
    case $compiler-$maps_are_swapped in
    gcc-true) write_source "$(pick 200 1500)" ;;
    gcc-false) write_source "$(pick 700 1500)" ;;
    *) write_source 700 ;;
    esac
    [ $compiler = clang ] || swapping=expect_swapping_maps
    measure $compiler -O2 -c -o "$work/plain.o" "$work/large.c"
    swapped $compiler -O2 -c -o "$work/swapped.o" "$work/large.c"
    expect "$compiler: exit code 0" [ $code -eq 0 ]
    expect "$compiler: the same object" cmp "$work/plain.o" "$work/swapped.o"
    $swapping $compiler
done
finish
