#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of every process, then dev start: keys, policy and log are intact.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
pubkey "$tmp/pub.pem"
echo hello >"$tmp/f"
must psign "$tmp/f" "$tmp/f.sig"
policy=$("$mpcsign" status -o json | jq -r .policy.sha256)
log_entries >"$tmp/before"

for who in node1 node2 node3 ca log; do
    kill -9 "$(pid_of $who)"
done
for who in log node1 node2 node3 ca; do
    must "$mpcsign" dev start "$who"
done
wait_for 20 psign "$tmp/f" "$tmp/f2.sig"
must verify "$tmp/pub.pem" "$tmp/f" "$tmp/f2.sig"
pubkey "$tmp/pub2.pem"
cmp -s "$tmp/pub.pem" "$tmp/pub2.pem" || fail "the key changed"
same "$("$mpcsign" status -o json | jq -r .policy.sha256)" "$policy" policy
log_entries >"$tmp/after"
cmp -s -n "$(stat -c %s "$tmp/before")" "$tmp/before" "$tmp/after" ||
    fail "the log lost entries"
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
