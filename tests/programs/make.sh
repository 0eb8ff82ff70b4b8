#!/bin/bash
# SPDX-License-Identifier: MIT
# make -j2 of a small project: make, shells, compilers, ar and ld, all of them under uswap.
. "$(dirname "$0")/lib.sh"
need make gcc ar
files=$(pick 8 40 2)

# make_project NAME
make_project() {
    mkdir "$work/$1"
    for i in $(seq "$files"); do
        awk -v i="$i" 'BEGIN {
            print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>"
            for (f = 0; f < 150; f++) {
                printf "static long part%d(const char *s, long n)\n{\n    char text[64] = \"\";\n", f
                printf "    long sum = 0;\n    for (long k = 0; k < n; k++)\n        sum += snprintf(text, sizeof(text), \"%%s %%ld\", s, k * %d) > %d;\n", f, i
                printf "    return sum + (long)strlen(text)%s;\n}\n", f ? " + part" f - 1 "(s, n / 2)" : "" }
            printf "long file%d(void)\n{\n    return part149(\"%d\", 20);\n}\n", i, i }' >"$work/$1/file$i.c"
    done
    seq "$files" | awk '{ print "long file" $1 "(void);"; calls = calls " + file" $1 "()" }
        END { printf "#include <stdio.h>\nint main(void)\n{\n    printf(\"%%ld\\n\", 0%s);\n}\n", calls }' >"$work/$1/main.c"
    cat >"$work/$1/Makefile" <<'MAKE'
objects := $(patsubst %.c,%.o,$(wildcard file*.c))
program: main.o libfiles.a
	$(CC) -o $@ $^
libfiles.a: $(sort $(objects))
	$(AR) rcsD $@ $^
%.o: %.c
	$(CC) -O2 -c -o $@ $<
MAKE
}

make_project one
make_project two
measure make -s -j2 -C "$work/one"
swapped make -s -j2 -C "$work/two"
expect 'exit code 0' [ $code -eq 0 ]
expect 'the same program' cmp "$work/one/program" "$work/two/program"
expect 'it runs' [ "$(bounded "$work/one/program")" = "$(bounded "$work/two/program")" ]
echo "   $(ls "$work/stats" | wc -l) processes"
expect_swapping_maps make
finish
