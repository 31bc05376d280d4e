#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All pairs of crashes: for each operation on a key and each action of it at
# which a node ends, each action after that at which one ends again
# (tests/sidecar/test_crash.c). One core makes about ten cases a second.
#   crashes.sh [OPERATION...]    0 create, 1 refresh, 2 reshare, 3 repair,
#                                4 destroy, 5 sign
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${MPC_BUILD:-build}
export build
most=${MPC_CRASH_MOST:-999} # first crashes of each operation

# All second crashes after one first; "end": there is no such first.
one_first() { # operation first
    local said seed from=$(($1 * 1000000 + $2 * 1000))
    said=$(MPC_CRASH_FIRST=$((from + 1)) MPC_CRASH_CASES=999 \
        "$build/tests/test_crash" 2>&1) && {
        sed -n 's/^cases: //p' <<<"$said"
        return
    }
    seed=$(grep -o 'MPC_SIM_SEED=[0-9]*' <<<"$said" | head -1)
    echo "FAIL operation $1, first crash at action $2, $seed" >&2
    grep -E 'ERROR' <<<"$said" | head -2 | sed 's/^/     /' >&2
    echo "     again: $seed MPC_SIM_TRACE=1 $build/tests/test_crash" >&2
    return 1
}
export -f one_first

bad=0
[ $# -gt 0 ] || set -- 0 1 2 3 4 5
for op; do
    start=$SECONDS
    # the last first: its single crash is no action any more
    for ((n = 1; n <= most; n++)); do
        MPC_SIM_SEED=$((op * 1000000 + n * 1000)) "$build/tests/test_crash" \
            2>&1 | grep -q 'no such action' && break
    done
    pairs=$(for ((i = 1; i < n; i++)); do echo "$op $i"; done |
        xargs -P "$(nproc)" -L 1 bash -c 'one_first "$@"' _) || bad=1
    echo "operation $op: $((n - 1)) first crashes," \
        "$(paste -sd+ <<<"$pairs" | bc) pairs ($((SECONDS - start)) s)"
done
exit $bad
