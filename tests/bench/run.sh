#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every published figure: builds the bench preset, starts a cluster of its
# own on loopback, measures, and leaves nothing behind. One JSON object a
# line on stdout, the machine first; everything else on stderr.
#
#     tests/bench/run.sh [BUILD]        BUILD: default build-bench
#
# Times are not judged, but for the ratios of bench_once: exit 1.
#
# BENCH_CALLS   calls of each line of bench_sign (default 2000)
# BENCH_DIR     where the cluster keeps its state (default: BUILD), because a
#               sync costs what that disk costs
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$top/build-bench}
calls=${BENCH_CALLS:-2000}
mkdir -p "$build"
build=$(cd "$build" && pwd)
dir=$(mktemp -d "${BENCH_DIR:-$build}/bench.XXXXXX")
cluster=$dir/dev
failed=0

# Daemons by the pid files of our own cluster, nobody else's.
down() {
    trap - EXIT
    trap '' INT TERM HUP
    [ ! -d "$cluster" ] || "$build/bin/mpcsign" dev down --dir "$cluster" \
        >&2 || true
    for file in "$cluster"/*/*.pid; do
        [ -f "$file" ] || continue
        read -r pid <"$file" || continue
        case $(readlink "/proc/$pid/exe" 2>/dev/null) in
        "$build"/bin/*) kill "$pid" 2>/dev/null || true ;;
        esac
    done
    rm -rf "$dir"
}
trap down EXIT
trap 'exit 1' INT TERM HUP

build() {
    cmake --preset bench -S "$top" -B "$build"
    cmake --build "$build" --target mpcsign mpc-sidecar mpc-ca mpc-log \
        mpc-snpsim mpc_module bench_frost bench_sign bench_stages \
        bench_approval bench_attest bench_once
}

machine() {
    cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
    read -r load _ </proc/loadavg
    printf '{"bench":"machine","cpu":"%s","cores":%s,"load":%s,' \
        "$(printf %s "${cpu:-$(uname -m)}" | tr -d '"\\')" "$(nproc)" "$load"
    printf '"kernel":"%s","fs":"%s","commit":"%s"}\n' "$(uname -r)" \
        "$(stat -f -c %T "$dir")" \
        "$(git -C "$top" describe --always --dirty 2>/dev/null || echo none)"
}

(cd "$top" && build) >&2
machine
"$build/tests/bench_frost"
"$build/tests/bench_approval"
"$build/tests/bench_attest"
env=$("$build/bin/mpcsign" dev up --dir "$cluster")
eval "$env"
"$build/tests/bench_sign" -n "$calls"
"$build/tests/bench_once" || {
    echo "bench_once: a key for one session costs more than it may" >&2
    failed=1
}
"$build/tests/bench_stages" -d "$dir"
exit $failed
