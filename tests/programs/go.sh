#!/bin/bash
# SPDX-License-Identifier: MIT
# The go tool and programs made by it. The runtime of Go maps memory by raw system calls and a program without
# C is static: it must run right, and is not swapped. What a program with C takes from malloc is.
. "$(dirname "$0")/lib.sh"
need go gcc
export HOME=$work GOCACHE=$work/cache GOPATH=$work/path GOFLAGS=-mod=mod GO111MODULE=on GOPROXY=off
mkdir "$work/pure" "$work/mixed"
cat >"$work/pure/main.go" <<'GO'
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"sync"
)

func work(seed, n int) string {
	m := map[string][]byte{}
	for i := 0; i < n; i++ {
		m[fmt.Sprint("key ", i*7919%1000003)] = []byte(fmt.Sprint("value ", i*seed))
	}
	keys := make([]string, 0, n)
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	h := sha256.New()
	for _, k := range keys {
		h.Write(m[k])
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func caught() (r any) {
	defer func() { r = recover() }()
	var p *int
	return *p
}

func main() {
	n := 0
	fmt.Sscan(os.Args[1], &n)
	var wait sync.WaitGroup
	results := make([]string, 4)
	for i := range results {
		wait.Add(1)
		go func(i int) { results[i] = work(i+1, n); wait.Done() }(i)
	}
	wait.Wait()
	out, err := exec.Command("echo", "a child").Output()
	fmt.Println(results, caught(), string(out), err)
}
GO
cat >"$work/mixed/main.go" <<'GO'
package main

// #include <stdlib.h>
// #include <string.h>
// static char *block(int i) { char *b = malloc(100000); memset(b, i, 100000); return b; }
// static long sum(char *b) { long s = 0; for (int k = 0; k < 100000; k++) s += b[k]; return s; }
import "C"
import "fmt"
import "os"

func main() {
	n := 0
	fmt.Sscan(os.Args[1], &n)
	blocks := make([]*C.char, n)
	done := make(chan int)
	for t := 0; t < 4; t++ {
		go func(t int) {
			for i := t; i < n; i += 4 {
				blocks[i] = C.block(C.int(i % 100))
			}
			done <- 0
		}(t)
	}
	for t := 0; t < 4; t++ {
		<-done
	}
	total := int64(0)
	for i := range blocks {
		total += int64(C.sum(blocks[i*7%n])) * int64(i)
	}
	fmt.Println(total)
	C.exit(0) // the end of Go's main() is a raw system call, which writes no statistics
}
GO
for name in pure mixed; do
    (cd "$work/$name" && go mod init "example.com/$name" 2>/dev/null && CGO_ENABLED=1 bounded go build -o program .)
    expect "go build of $name" [ -x "$work/$name/program" ]
done

measure "$work/pure/program" "$(pick 50000 500000)"
swapped "$work/pure/program" "$(pick 50000 500000)" 2>"$work/err"
expect 'a program without C: exit code 0' [ $code -eq 0 ]
expect 'a program without C: the same output' cmp "$work/plain" "$work/swapped"
expect 'a program without C: it is named' grep -q 'is linked statically: it runs without uswap' "$work/err"
same_at_quarter "$work/mixed/program" "$(pick 801 6007)"

# The go tool is linked with libc: what its goroutines ask the kernel for is seen, on their small stacks.
set_budget 200000
(cd "$work/pure" && bounded go list -deps std) >"$work/plain"
(cd "$work/pure" && swapped go list -deps std)
expect 'the go tool lists the same packages' cmp "$work/plain" "$work/swapped"
expect 'they are many' [ "$(wc -l <"$work/plain")" -gt 100 ]

if [ "$form" = full ]; then
    rm "$work/pure/program"
    (cd "$work/pure" && swapped go build -a -o program .)
    expect 'go build under uswap' [ -x "$work/pure/program" ]
fi
finish
