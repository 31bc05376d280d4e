#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cycles.sh VALGRIND PROGRAM: nothing is lost in a thousand cycles, and what
# the process still holds at its end is what it held after ten.
set -eu
valgrind=$1 program=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# reachable MODE N: bytes still reachable; fails when any are lost
reachable() {
    "$valgrind" --fair-sched=yes --leak-check=full \
        --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect --error-exitcode=99 \
        "$program" "$1" "$2" 2>"$dir/log" >&2 || {
        cat "$dir/log" >&2
        return 1
    }
    sed -n 's/.*still reachable: \([0-9,]*\) bytes in \([0-9,]*\).*/\1 \2/p' \
        "$dir/log"
}

for row in keys:1000 contexts:1000 loads:200; do
    mode=${row%:*} n=${row#*:}
    ten=$(reachable "$mode" 10)
    many=$(reachable "$mode" "$n")
    echo "$mode: still reachable after 10: $ten, after $n: $many"
    [ -n "$ten" ] && [ "$ten" = "$many" ]
done
