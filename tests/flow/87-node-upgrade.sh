#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A node gets another program under a pinned policy, and then another disk: it
# starts empty, joins by a version of the policy, is given its shares, and the
# old measurement leaves. Signing goes on; group key and chain stay the same.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
pubkey "$tmp/pub.pem"
echo hello >"$tmp/f"
must psign "$tmp/f" "$tmp/before.sig"
"$mpcsign" ca chain >"$tmp/root.pem"
by=(--as dev --approve bob carol)

status() { MPC_SIDECAR=$(conf "$1" socket) "$mpcsign" status -o json; }
problems() { status "$1" | jq -r '.problems[]'; }
says() { problems "$1" | grep -q "$2"; }
keys() { "$mpcsign" key list -o json |
    jq -c '[.keys[] | select(.epoch > 0) | [.name, .group_key]]'; }
holders() { "$mpcsign" key show "$1" -o json | jq -c '[.threshold, .nodes]'; }
hash_of() { "$mpcsign" attest measure "$1" -o json | jq -r .policy_hash; }
before=$(keys)

# ---- the new program: the same, a byte longer
cp "$build/bin/mpc-sidecar" "$tmp/rebuilt"
printf x >>"$tmp/rebuilt"
old=$(hash_of "$build/bin/mpc-sidecar")
new=$(hash_of "$tmp/rebuilt")
[ "$old" != "$new" ] || fail "the same measurement"
# whoever narrows what they talk to allows it first
export TEE_POLICY_HASH=$TEE_POLICY_HASH,$new

# ---- a load at another node: what fails is kept
load() {
    while [ ! -e "$tmp/stop" ]; do
        MPC_SIDECAR=$(conf node1 socket) psign "$tmp/f" "$tmp/load.sig" \
            >"$tmp/load.out" 2>&1 || cat "$tmp/load.out" >>"$tmp/failed"
        echo x >>"$tmp/signed"
    done
}
load &
servers[$!]=1

# ---- its shares go to the others, the measurement is allowed
must "$mpcsign" node upgrade 3 --at "$(conf node3 socket)" --allow "$new" \
    "${by[@]}"
grep -q 'node3 holds no share' "$tmp/out" || fail "what is next is not said"
same "$(holders release)" '[2,[1,2]]' "holders without node3"
# asked again, it says the same and asks nobody
must "$mpcsign" node upgrade 3 --at "$(conf node3 socket)" "${by[@]}"
same "$(status node1 | jq .policy.version)" 3 "versions"

# it may come back as it was, and leave again
must "$mpcsign" node upgrade 3 --at "$(conf node3 socket)" --back "${by[@]}"
same "$(holders release)" '[2,[1,2,3]]' "holders with node3 back"
must "$mpcsign" node upgrade 3 --at "$(conf node3 socket)" "${by[@]}"
same "$(holders release)" '[2,[1,2]]' "holders without node3 again"

# ---- the new program starts empty, and says what to do
must "$mpcsign" dev kill node3
"$tmp/rebuilt" -c "$MPC_DEV/node3/daemon.cnf" >"$tmp/node3.log" 2>&1 &
three=$!
servers[$three]=1
wait_for 5 says node3 "keys are new.*mpcsign node upgrade 3"
says node3 'sealed under another chip.*kept in state.db' || fail "why is not said"
grep -q 'node.keys_new' "$tmp/node3.log" || fail "not in its log"

# ---- its keys into the policy, shares back
must "$mpcsign" node upgrade 3 --at "$(conf node3 socket)" "${by[@]}"
grep -q 'node3: upgraded, policy version 6' "$tmp/out" || fail "how it ended"
for k in release web ca guarded; do
    same "$(holders $k)" '[2,[1,2,3]]' "holders of $k"
done
same "$(problems node3)" "" "problems of node3"
same "$(keys)" "$before" "group keys"
# it counts: without another it signs
must "$mpcsign" dev kill node2
wait_for 10 psign "$tmp/f" "$tmp/with3.sig"
must "$mpcsign" dev start node2
must verify "$tmp/pub.pem" "$tmp/f" "$tmp/with3.sig"

# ---- the old program again: its old keys open, and it is told that they are
# not those of the policy; the new one comes back as it was
stop "$three"
must "$mpcsign" dev start node3
wait_for 10 says node3 'the policy names others'
must "$mpcsign" dev kill node3
"$tmp/rebuilt" -c "$MPC_DEV/node3/daemon.cnf" >"$tmp/node3.log" 2>&1 &
three=$!
servers[$three]=1
whole() { [ -z "$(problems node3)" ] && [ "$(status node3 |
    jq '[.keys[] | select(.share)] | length')" = 4 ]; }
wait_for 20 whole

# ---- nobody is upgraded while the others are too few
must "$mpcsign" dev kill node2
refuse 'without node3 1 nodes hold live shares, needs 2; node2' \
    "$mpcsign" node upgrade 3 --at "$(conf node3 socket)" "${by[@]}"
must "$mpcsign" dev start node2
wait_for 10 psign "$tmp/f" "$tmp/x.sig"

# ---- its disk is gone: the same way back
stop "$three"
rm -rf "$MPC_DEV/node3/state"
"$tmp/rebuilt" -c "$MPC_DEV/node3/daemon.cnf" >"$tmp/node3.log" 2>&1 &
three=$!
servers[$three]=1
wait_for 20 says node3 'mpcsign node upgrade 3'
# by people this time: it stops, says what it needs, and goes on
people() { "$mpcsign" node upgrade 3 --at "$(conf node3 socket)" --timeout 1 \
    >"$tmp/out" 2>"$tmp/err"; }
rounds=0
until people; do
    rounds=$((rounds + 1))
    [ $rounds -le 12 ] || fail "it does not end"
    cat "$tmp/out" "$tmp/err" >"$tmp/all"
    id=$(grep -oE 'approve [0-9a-f]{64}' "$tmp/all" | tail -1 | cut -d' ' -f2)
    [ -n "$id" ] || {
        cat "$tmp/all"
        fail "it does not say what to approve"
    }
    # carol after it was asked again, the first times: the same session
    if grep -q 'policy approve' "$tmp/all"; then
        approve=("$mpcsign" policy approve "$id" --yes --as)
    else
        approve=("$mpcsign" approve "$id" --role steward --as)
    fi
    must "${approve[@]}" bob
    [ $rounds -gt 2 ] || ! people || fail "one steward was enough"
    must "${approve[@]}" carol
done
same $rounds 10 "approvals: two versions, twice four keys"
wait_for 10 whole
same "$(keys)" "$before" "group keys"

touch "$tmp/stop"
sleep 0.5
[ ! -s "$tmp/failed" ] || {
    cat "$tmp/failed"
    fail "a caller noticed"
}
# ---- the other two, and with the last the old measurement leaves
at() { MPC_SIDECAR=$(conf node3 socket) must "$mpcsign" node upgrade "$1" \
    --at "$(conf "node$1" socket)" "${by[@]}" "${@:2}"; }
for i in 1 2; do
    at $i
    must "$mpcsign" dev kill node$i
    "$tmp/rebuilt" -c "$MPC_DEV/node$i/daemon.cnf" >"$tmp/node$i.log" 2>&1 &
    servers[$!]=1
    wait_for 20 says node$i "mpcsign node upgrade $i"
    if [ $i = 1 ]; then at 1; else at 2 --retire "$old"; fi
done
same "$("$mpcsign" policy show -o json |
    jq -c .document.measurements.sidecar)" "[\"$new\"]" "allowed"
wait_for 10 psign "$tmp/f" "$tmp/new.sig"
must verify "$tmp/pub.pem" "$tmp/f" "$tmp/new.sig"
same "$(keys)" "$before" "group keys"
"$mpcsign" ca chain >"$tmp/root2.pem"
cmp "$tmp/root.pem" "$tmp/root2.pem" || fail "another root"
pubkey "$tmp/pub2.pem"
cmp "$tmp/pub.pem" "$tmp/pub2.pem" || fail "another key"
must verify "$tmp/pub.pem" "$tmp/f" "$tmp/before.sig"
echo "$(wc -l <"$tmp/signed") signatures meanwhile"
