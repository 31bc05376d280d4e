#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of every process of a cluster that seals under snp+peers, in the
# middle of its work: all of it comes back without a person. A node alone says
# what it waits for; the second one is enough.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
pubkey "$tmp/pub.pem"
echo hello >"$tmp/f"
good() {
    psign "$tmp/f" "$tmp/f.sig" && verify "$tmp/pub.pem" "$tmp/f" "$tmp/f.sig"
}
problems() { # node
    curl -sf --unix-socket "$(conf "$1" socket)" http://x/v1/status |
        jq -r '.problems[]'
}
whole() { [ -z "$(problems "$1")" ]; }
power_cut() {
    for who in node1 node2 node3 ca log; do
        kill -9 "$(pid_of $who)" 2>/dev/null || true
    done
}
must good
for who in node1 node2 node3; do
    same "$(conf $who master_key)" snp+peers "$who's master_key"
done
same "$("$mpcsign" status -o json | jq -r .master_key)" snp+peers status

# while it signs, three times over
(while good; do :; done) >"$tmp/load" 2>&1 &
load=$!
servers[$load]=1
for round in 1 2 3; do
    sleep 0.3
    power_cut
    start=$SECONDS
    for who in log node1 node2 node3 ca; do
        must "$mpcsign" dev start $who
    done
    wait_for 15 good
    [ $((SECONDS - start)) -le 10 ] || fail "round $round took too long"
    for who in node1 node2 node3; do
        wait_for 10 whole $who
    done
done
stop $load

# one alone: up, witnesses, and says what it waits for
power_cut
must "$mpcsign" dev start log
must "$mpcsign" dev start node3
waits() { problems node3 | grep -q \
    'key release, epoch 1: share waits for peers (has 0 of 1)'; }
wait_for 5 waits
curl -sf --unix-socket "$(conf node3 socket)" http://x/v1/status |
    jq -e '[.keys[].share] | any | not' >"$tmp/out" || fail "it has a share"
MPC_SIDECAR=$(conf node3 socket) "$mpcsign" doctor >"$tmp/out" 2>&1 || true
grep -q 'fix: start other nodes of that key' "$tmp/out" || {
    cat "$tmp/out"
    fail "doctor does not say what to do"
}
# any second one brings both back, though neither had a share to begin with
must "$mpcsign" dev start node1
wait_for 10 whole node3
wait_for 10 whole node1
wait_for 10 good
must "$mpcsign" dev start node2
must "$mpcsign" dev start ca
wait_for 10 whole node2
must good

# a word that is no master key stops the start, clearly
must "$mpcsign" dev kill node2
sed -i 's/^master_key = .*/master_key = peers/' "$MPC_DEV/node2/daemon.cnf"
refuse 'master_key: ..?peers..? is none' "$build/bin/mpc-sidecar" \
    -c "$MPC_DEV/node2/daemon.cnf"
# under snp alone it still opens what was sealed with its peers
sed -i 's/^master_key = .*/master_key = snp/' "$MPC_DEV/node2/daemon.cnf"
must "$mpcsign" dev start node2
wait_for 10 whole node2
