#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does the campaign prove anything? Each patch of tests/campaign/plants breaks
# one rule in a copy of the tree; the simulator must find a seed that shows it,
# among MPC_PLANT_RUNS (2000). A plant that is not found fails.
#   plants.sh [PLANT...]
set -uo pipefail
cd "$(dirname "$0")/../.."
runs=${MPC_PLANT_RUNS:-2000}
chunk=20
plants=$PWD/tests/campaign/plants
scratch=$(mktemp -d "${TMPDIR:-/tmp}/mpc-plants-XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# which test is to find it
finder() {
    case $1 in
    erase-on-own-store | certificate-at-t-votes) echo test_crash ;;
    *) echo test_storm ;;
    esac
}
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for f in "$plants"/*.patch; do
        names+=("$(basename "$f" .patch)")
    done
fi

git ls-files -z | xargs -0 cp --parents -t "$scratch"
cd "$scratch" || exit 2
export CCACHE_BASEDIR=$scratch CCACHE_NOHASHDIR=1

# test: its seed, or nothing. test_crash: crashes in a refresh, once at each
# action, and then in pairs.
find_seed() {
    local first said at seed
    if [ "$1" = test_crash ]; then
        for ((at = 0; at < runs; at++)); do
            seed=$((1000000 + (1 + at * 37 % 119) * 1000))
            [ $at -lt 119 ] || seed=$((seed + 1 + at * 53 % 117))
            MPC_SIM_SEED=$seed "build/tests/$1" >/dev/null 2>&1 && continue
            echo $seed
            return
        done
        return
    fi
    first=$(sed -n 's/^#define FIRST_SEED *\([0-9]*\).*/\1/p' \
        "tests/sidecar/$1.c")
    for ((at = 0; at < runs; at += chunk)); do
        said=$(MPC_SIM_FIRST=$((first + at)) MPC_SIM_RUNS=$chunk \
            "build/tests/$1" 2>&1) && continue
        grep -o 'MPC_SIM_SEED=[0-9]*' <<<"$said" | head -1 | cut -d= -f2
        return
    done
}

bad=0
for name in "${names[@]}"; do
    test=$(finder "$name")
    start=$SECONDS
    patch -sp1 <"$plants/$name.patch" || exit 2
    { cmake --preset dev && cmake --build build -j "$(nproc)" \
        --target "$test"; } >build.log 2>&1 || {
        tail -20 build.log
        exit 2
    }
    seed=$(find_seed "$test")
    if [ -n "$seed" ]; then
        MPC_SIM_SEED=$seed MPC_SIM_TRACE=1 "build/tests/$test" >trace 2>&1 &&
            echo "seed $seed does not show it again" && bad=1
        echo "ok   $name: found by $test, seed $seed, of $runs" \
            "($((SECONDS - start)) s)"
        grep -m1 'MPC_SIM_SEED=' trace | cut -c1-200 | sed 's/^/     /'
        grep -B "${MPC_CAMPAIGN_LINES:-6}" -m1 'MPC_SIM_SEED=' trace |
            cut -c1-160 | sed 's/^/     /'
    else
        echo "FAIL $name: $test does not find it in $runs seeds"
        bad=1
    fi
    patch -sRp1 <"$plants/$name.patch" || exit 2
done
exit $bad
