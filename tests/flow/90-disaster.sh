#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every node is gone: state, shares and node keys. What is left: the log, the
# CA, the policy, and what custodians have. New nodes, a policy that names
# their keys, two custodians who each bring a share; the key goes on under the
# same public key, and everybody can read in the log how.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
b=$tmp/backups
who=(--as dev --approve bob carol)
must pubkey "$tmp/pub.pem"
echo "the release after the fire" >"$tmp/msg"
same_key() { "$mpcsign" key show release -o json | jq -r .group_key; }
group=$(same_key)

# custodians have epoch 1, and after a refresh epoch 2
must "$mpcsign" key backup release --out "$tmp/old" "${who[@]}"
must "$mpcsign" key refresh release "${who[@]}"
must "$mpcsign" key backup release --out "$b" "${who[@]}"
[ -s "$b/release.epoch2.node1.msh1" ] || fail "no backup of epoch 2"

recover() { # dir epoch whose to [custodian]
    MPC_SIDECAR=$(conf "node$4" socket) "$mpcsign" key recover release \
        --backup "$1/release.epoch$2.node$3.msh1" \
        --custodian-key "$tmp/dev/custodians/node${5:-$3}" \
        --certificate "$1/release.epoch$2.birth.json" \
        --policy "$tmp/policy.json" --node "$4" "${@:6}"
}
cp "$tmp/dev/policy.json" "$tmp/policy.json"
refuse 'holds a share' recover "$b" 2 1 2 1 "${who[@]}"

# ---- the fire
for i in 1 2 3; do
    must "$mpcsign" dev kill "node$i"
    find "$(conf "node$i" state_dir)" -mindepth 1 -delete
done
for i in 1 2 3; do
    must "$mpcsign" dev start "node$i"
done
status() { MPC_SIDECAR=$(conf "node$1" socket) "$mpcsign" status -o json; }
at_version() { # version: all have it
    for i in 1 2 3; do
        [ "$(status $i | jq .policy.version)" = "$1" ] || return 1
    done
}
wait_for 20 at_version 2 # from the log
status 1 | jq -r '.problems[]' | grep -q 'keys are new' ||
    fail "node1 does not say that its keys are new"
refuse 'not created' psign "$tmp/msg" "$tmp/sig"

# ---- new nodes in the policy
"$mpcsign" policy draft >"$tmp/draft.json"
for i in 1 2 3; do
    status $i | jq '{id: .node, identity, box}'
done | jq -s . >"$tmp/keys.json"
jq --slurpfile k "$tmp/keys.json" \
    '.nodes |= map(. as $n | . + ($k[0][] | select(.id == $n.id)))' \
    "$tmp/draft.json" >"$tmp/policy.json"
id=$("$mpcsign" policy propose "$tmp/policy.json" --reason 'new nodes' \
    2>"$tmp/err") || fail "$(cat "$tmp/err")"
must "$mpcsign" policy approve "$id" --as bob --file "$tmp/policy.json"
must "$mpcsign" policy approve "$id" --as carol
wait_for 20 at_version 3

# ---- an older epoch: nobody here knows better, the log does
must recover "$tmp/old" 1 1 1 1 "${who[@]}"
refuse 'epoch 1; entry [0-9]+ of the log says that the key moved to epoch 2' \
    recover "$tmp/old" 1 2 2 2 "${who[@]}"
refuse 'needs 2' psign "$tmp/msg" "$tmp/sig"
for i in 1 2; do # a vault that took one of those starts again
    must "$mpcsign" dev kill "node$i"
    must "$mpcsign" dev start "node$i"
done
sleep 1

# ---- what is not in order
refuse 'other custodians' recover "$b" 2 1 1 2 "${who[@]}"
refuse 'not approved|steward' recover "$b" 2 1 1 1 --as dev --approve bob
refuse 'other nodes? than|not boxed|another|keys' env \
    MPC_SIDECAR="$(conf node2 socket)" "$mpcsign" key recover release \
    --backup "$b/release.epoch2.node1.msh1" \
    --custodian-key "$tmp/dev/custodians/node1" \
    --certificate "$b/release.epoch2.birth.json" \
    --policy "$tmp/policy.json" --node 1 "${who[@]}"

# ---- two custodians
must recover "$b" 2 1 2 1 "${who[@]}" # not to the node it was of
grep -q 'not yet:.*0 live and 1 were brought' "$tmp/out" ||
    { cat "$tmp/out"; fail "what one share is good for"; }
refuse 'holds a share' recover "$b" 2 3 2 3 "${who[@]}"
refuse 'needs 2|not created' psign "$tmp/msg" "$tmp/sig"
must recover "$b" 2 3 1 3 "${who[@]}"
grep -q 'recovered: key release lives in epoch 3' "$tmp/out" ||
    { cat "$tmp/out"; fail "it is not recovered"; }

# ---- the same key
must psign "$tmp/msg" "$tmp/sig"
verify "$tmp/pub.pem" "$tmp/msg" "$tmp/sig" || fail "another key"
same "$(same_key)" "$group" "group key"
log_entries | grep -a -A3 'mpc-epoch/1' | grep -aq 'type recover' ||
    fail "the log says nothing of a recovery"
for i in 1 2 3; do
    status $i | jq -e '.keys[] | select(.name == "release") |
        .epoch == 3 and .share and .backup.current' >/dev/null ||
        { status $i | jq .keys; fail "node$i after the recovery"; }
done
refuse 'of epoch 1, the key is in epoch 3' recover "$tmp/old" 1 1 1 1 "${who[@]}"
# a power cut later it is all at rest
must "$mpcsign" dev kill node1
must "$mpcsign" dev start node1
wait_for 15 psign "$tmp/msg" "$tmp/sig"
verify "$tmp/pub.pem" "$tmp/msg" "$tmp/sig" || fail "another key"

