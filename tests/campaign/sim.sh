#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The cluster in one process, seed after seed: every simulator test that takes
# MPC_SIM_RUNS, MPC_CAMPAIGN_RUNS seeds each (10000) from MPC_CAMPAIGN_FIRST on
# (the test's own first one). A seed that fails prints the end of its trace and
# the line that shows it again; the whole trace is kept in build/campaign.
#   sim.sh [TEST...]
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${MPC_BUILD:-build}
runs=${MPC_CAMPAIGN_RUNS:-10000}
chunk=100
out=$build/campaign
mkdir -p "$out"

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for f in $(grep -l MPC_SIM_RUNS tests/sidecar/test_*.c); do
        names+=("$(basename "$f" .c)")
    done
fi

show() { # test seed: what happened
    local trace=$out/$1-$2.trace
    MPC_SIM_SEED=$2 MPC_SIM_TRACE=1 "$build/tests/$1" >"$trace" 2>&1
    echo "FAIL $1, seed $2; the end of $trace:"
    tail -${MPC_CAMPAIGN_LINES:-40} "$trace" | cut -c1-220 | sed 's/^/     /'
    echo "     again: MPC_SIM_SEED=$2 MPC_SIM_TRACE=1 $build/tests/$1"
}

# Of one chunk; a program that died without a word is asked seed by seed.
one_chunk() { # test first count
    local said seed
    said=$(MPC_SIM_FIRST=$2 MPC_SIM_RUNS=$3 "$build/tests/$1" 2>&1) && return
    seed=$(grep -o 'MPC_SIM_SEED=[0-9]*' <<<"$said" | head -1 | cut -d= -f2)
    if [ -z "$seed" ]; then
        for ((s = $2; s < $2 + $3; s++)); do
            MPC_SIM_SEED=$s "$build/tests/$1" >/dev/null 2>&1 || {
                seed=$s
                break
            }
        done
    fi
    if [ -n "$seed" ]; then
        show "$1" "$seed"
    else
        echo "FAIL $1, seeds $2 to $(($2 + $3 - 1)) as one:"
        tail -20 <<<"$said"
    fi
    return 1
}
export -f one_chunk show
export build out

bad=0
for name in "${names[@]}"; do
    [ -x "$build/tests/$name" ] || {
        echo "no $build/tests/$name" >&2
        exit 2
    }
    first=${MPC_CAMPAIGN_FIRST:-$(sed -n \
        's/^#define FIRST_SEED *\([0-9]*\).*/\1/p' "tests/sidecar/$name.c")}
    start=$SECONDS
    for ((at = 0; at < runs; at += chunk)); do
        n=$((runs - at < chunk ? runs - at : chunk))
        echo "$name $((first + at)) $n"
    done | xargs -P "$(nproc)" -L 1 bash -c 'one_chunk "$@"' _ &&
        echo "ok   $name: $runs seeds from $first ($((SECONDS - start)) s)" ||
        bad=1
done
exit $bad
