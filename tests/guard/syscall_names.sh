#!/bin/bash
# SPDX-License-Identifier: MIT
# syscall_names.sh COMPILER...: CALL(name) for each system call that the kernel's headers number.
set -eu
echo '#include <asm/unistd.h>' | "$@" -E -dM - |
    sed -nE 's/^#define __NR_([a-z_][a-z0-9_]*) .*/CALL(\1)/p' |
    grep -vE '\((syscalls|arch_specific_syscall|[a-z0-9]*_?reserved.*)\)' | sort
