#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A CA that was taken over holds the socket of a sidecar and mpc:ca. It asks
# for certificates that key, birth and policy do not say: each is refused by
# the signers, for its own reason, and stays on their record.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
must "$mpcsign" cert release "$tmp/leaf.pem"
web=$("$mpcsign" key show web -o json)
seq_of() { # node
    MPC_SIDECAR=$(conf "$1" socket) "$mpcsign" audit -o json |
        jq '[.rows[].seq] | max // 0'
}
declare -A since
for n in node1 node2 node3; do since[$n]=$(seq_of $n); done

tell() { # leaf [birth key]: all lies about it, into lies
    "$build/tests/broken_ca" "$1" dev "${@:2}" >>"$tmp/lies" 2>"$tmp/err" || {
        grep -v '^ok' "$tmp/lies" || true
        cat "$tmp/err"
        fail "a lie was signed, or refused for another reason"
    }
}
tell "$tmp/leaf.pem" "$(jq .birth <<<"$web")" "$(jq -r .group_key <<<"$web")"
# the same of a key that lives for one session
must "$mpcsign" cert once "$tmp/once.pem"
tell "$tmp/once.pem"
lies=$(grep -c $'\trefused\t' "$tmp/lies")
same "$(grep -c $'\tsigned\t' "$tmp/lies")" 6 "honest leaves that were signed"
[ "$lies" -ge 100 ] || fail "only $lies lies were told"

# ---- on record: what the lead could not even lead, it refused as its caller's
# request; all others were judged, and refused, by t signers
MPC_SIDECAR=$(conf node1 socket) "$mpcsign" audit -o json >"$tmp/rows"
jq --argjson s "${since[node1]}" '[.rows[] | select(.seq > $s and
    .method == "POST /v1/sign" and .result != "ok")] | length' "$tmp/rows" \
    >"$tmp/n"
same "$(cat "$tmp/n")" "$lies" "refused requests on the lead's record"
total=0
for n in node1 node2 node3; do
    MPC_SIDECAR=$(conf $n socket) "$mpcsign" audit -o json |
        jq -r --argjson s "${since[$n]}" '.rows[] | select(.seq > $s and
            .method == "POST /v1/frost/round2" and .result != "ok") |
            .detail' >"$tmp/refused.$n"
    total=$((total + $(wc -l <"$tmp/refused.$n")))
    MPC_SIDECAR=$(conf $n socket) must "$mpcsign" audit --verify
done
cat "$tmp"/refused.node* >"$tmp/refused"
[ "$total" -ge $((2 * (lies - 16))) ] ||
    fail "$total refusals of signers on record, for $lies lies"
for why in basicConstraints subjectPublicKey notAfter notBefore keyUsage \
    extendedKeyUsage subjectAltName context.policy context.session \
    context.participants context.approvals nsComment 'build signer' \
    certificate.sct serialNumber issuer subject version \
    authorityKeyIdentifier 'birth of its key is missing'; do
    grep -q "$why" "$tmp/refused" || fail "no signer has on record: $why"
done

# ---- and the CA's own way is as open as before
must "$mpcsign" cert release "$tmp/again.pem"
must stock verify -CAfile "$MPC_DEV/ca.pem" "$tmp/again.pem"
