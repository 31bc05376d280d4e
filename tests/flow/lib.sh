# SPDX-License-Identifier: Apache-2.0
# What the scenario scripts share: a cluster of one's own in a temporary
# directory, taken down whatever happens. Sourced, never run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${MPC_BUILD:-$here/build}
mpcsign=$build/bin/mpcsign
tmp=$(mktemp -d "${TMPDIR:-/tmp}/mpc-flow-XXXXXX")
dirs=()
declare -A servers=() # of servers we started

cleanup() {
    local status=$?
    trap - EXIT INT TERM
    for p in "${!servers[@]}"; do
        stop "$p"
    done
    for d in "${dirs[@]}"; do
        "$mpcsign" dev down --dir "$d" >"$tmp/down.out" 2>&1 || {
            echo "dev down $d failed:"
            cat "$tmp/down.out"
            status=1
        }
    done
    if [ $status -ne 0 ] && [ -n "${MPC_KEEP:-}" ]; then
        echo "kept: $tmp"
    else
        rm -rf "$tmp"
    fi
    exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# up DIR [args]: brings a cluster up and takes its environment
up() {
    local dir=$1
    shift
    dirs+=("$dir")
    eval "$("$mpcsign" dev up --dir "$dir" "$@" 2>"$tmp/up.err")" || {
        cat "$tmp/up.err"
        fail "dev up"
    }
    [ -n "${MPC_DEV:-}" ] || {
        cat "$tmp/up.err"
        fail "dev up printed no environment"
    }
}
fail() {
    echo "FAILED: $*" >&2
    exit 1
}
# must COMMAND: runs it, and shows what it said when it fails
must() {
    "$@" >"$tmp/out" 2>&1 || {
        cat "$tmp/out"
        fail "$*"
    }
}
# refuse PATTERN COMMAND: it must fail, and say PATTERN ("": anything)
refuse() {
    local pattern=$1
    shift
    if "$@" >"$tmp/out" 2>&1; then
        cat "$tmp/out"
        fail "accepted: $*"
    fi
    [ -z "$pattern" ] || grep -qE -- "$pattern" "$tmp/out" || {
        cat "$tmp/out"
        fail "$*: said nothing of $pattern"
    }
}
same() { [ "$1" = "$2" ] || fail "$3: got $1, want $2"; }

# stock: openssl without our configuration or module
stock() { env -u OPENSSL_MODULES OPENSSL_CONF=/dev/null openssl "$@"; }
psign() { # file sig [more]
    openssl pkeyutl -sign -provider mpc -provider default \
        -inkey mpc:release -rawin -in "$1" -out "$2" "${@:3}"
}
pubkey() {
    openssl pkey -provider mpc -provider default -in mpc:release -pubout \
        -out "$1"
}
verify() { # pub file sig
    stock pkeyutl -verify -pubin -inkey "$1" -rawin -in "$2" -sigfile "$3" |
        grep -q 'Signature Verified Successfully'
}
# stop PID: of our own child, and wait for its end
stop() {
    unset "servers[$1]"
    kill "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || true
}
log_size() { curl -sf "$MPC_LOG_URL/checkpoint" | sed -n 2p; }
# entries on the log, as text
log_entries() {
    local n i
    n=$(log_size)
    {
        for ((i = 0; i < n / 256; i++)); do
            curl -sf "$MPC_LOG_URL/tile/entries/$(printf %03d "$i")"
        done
        [ $((n % 256)) -eq 0 ] || curl -sf \
            "$MPC_LOG_URL/tile/entries/$(printf %03d "$i").p/$((n % 256))"
    } | tr -d '\000'
}
count_intents() { log_entries | grep -ac 'mpc-intent/1' || true; }
# wait_for SECONDS COMMAND: until it succeeds
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $until ] || fail "never came true: $*"
        sleep 0.1
    done
}
# conf WHO KEY: a value of a daemon's configuration; pid_of WHO
conf() { sed -n "s/^$2 *= *//p" "$MPC_DEV/$1/daemon.cnf"; }
pid_of() { cat "$MPC_DEV/$1/daemon.pid"; }
