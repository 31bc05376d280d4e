#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every node is killed and started again, one every 200 ms, while callers sign.
# Nothing wrong is signed, nothing that was signed is missing in the log, and
# when it is over all three nodes sign within seconds.
#   85-restart-storm.sh [SECONDS]    10; the campaign takes 60
. "$(dirname "$0")/lib.sh"
seconds=${1:-${MPC_STORM_S:-10}}
up "$tmp/dev"
pubkey "$tmp/pub.pem"
mkdir "$tmp/sigs"
sockets=()
for n in node1 node2 node3; do
    sockets+=("$(conf $n socket)")
done

# A caller at one node; what it is given is kept with its message.
caller() { # number
    local i=0
    while [ ! -e "$tmp/over" ]; do
        i=$((i + 1))
        echo "caller $1, message $i" >"$tmp/sigs/$1-$i.txt"
        MPC_SIDECAR=${sockets[$(($1 % 3))]} timeout 10 openssl pkeyutl -sign \
            -provider mpc -provider default -inkey mpc:release -rawin \
            -in "$tmp/sigs/$1-$i.txt" -out "$tmp/sigs/$1-$i.sig" \
            2>>"$tmp/caller-$1.err" || {
            rm -f "$tmp/sigs/$1-$i.sig"
            sleep 0.05
        }
    done
}
for c in 1 2 3; do
    caller $c &
    servers[$!]=1
    callers[c]=$!
done

restarts=0
until=$((SECONDS + seconds))
while [ $SECONDS -lt $until ]; do
    for n in node1 node2 node3; do
        at=$(date +%s%3N)
        kill -9 "$(pid_of $n)"
        "$mpcsign" dev start $n >"$tmp/start.out" 2>&1 || {
            cat "$tmp/start.out"
            fail "dev start $n"
        }
        restarts=$((restarts + 1))
        left=$((at + 200 - $(date +%s%3N)))
        [ $left -le 0 ] || sleep "0.$(printf %03d $left)"
    done
done
calm=$(date +%s%3N)
for s in "${sockets[@]}"; do
    export MPC_SIDECAR=$s
    wait_for 15 psign "$tmp/pub.pem" "$tmp/after.sig"
    must verify "$tmp/pub.pem" "$tmp/pub.pem" "$tmp/after.sig"
done
calm=$(($(date +%s%3N) - calm))
touch "$tmp/over"
for c in 1 2 3; do
    wait "${callers[c]}" || true
    unset "servers[${callers[c]}]"
done

good=0
for sig in "$tmp"/sigs/*.sig; do
    [ -s "$sig" ] || continue
    verify "$tmp/pub.pem" "${sig%.sig}.txt" "$sig" ||
        fail "$sig does not verify"
    good=$((good + 1))
done
asked=$(find "$tmp/sigs" -name '*.txt' | wc -l)
intents=$(count_intents)
[ "$intents" -ge $((good + 3)) ] ||
    fail "$good signatures and $intents intents in the log"
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
pubkey "$tmp/pub2.pem"
cmp -s "$tmp/pub.pem" "$tmp/pub2.pem" || fail "the key changed"
[ "$calm" -lt 15000 ] || fail "all nodes signed only $calm ms after it"
echo "$restarts restarts in $seconds s: $good of $asked calls signed," \
    "$intents intents; all nodes sign $calm ms after"
