#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A host that hands out no certificates: its node finds them in cert_dir, its
# peers in theirs, and the bundle of what it signed has them inside, for
# whoever reads it has no such directory.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
echo hello >"$tmp/f"
must "$mpcsign" sign "$tmp/f" --bundle "$tmp/before.json"

unb64() { # unpadded
    local text
    read -r text
    while [ $((${#text} % 4)) -ne 0 ]; do text+='='; done
    basenc --base64url -d <<<"$text"
}
mkdir "$tmp/certs"
jq -r '.signers[0].evidence[0].chain[]' "$tmp/before.json" >"$tmp/chain"
i=0
while read -r cert; do # ASK and ARK under names that put the root first
    i=$((i + 1))
    unb64 <<<"$cert" >"$tmp/certs/$((9 - i)).der"
done <"$tmp/chain"
same "$i" 2 "certificates above the VEK"
vek() { # node: into the directory
    jq -r ".signers[] | select(.node == $1) | .evidence[0].vek" "$2" | unb64 >"$tmp/certs/vek$1.der"
}
cp "$MPC_DEV/policy.json" "$tmp/policy.json"
# node3 has to sign for its own to be known
must "$mpcsign" dev kill node2
wait_for 20 "$mpcsign" sign "$tmp/f" --bundle "$tmp/b.json"
vek 3 "$tmp/b.json"
must "$mpcsign" dev start node2

for who in node1 node2 node3 ca log; do
    sed -i "/^cert_dir *=/d; s|^uri *=.*|&\ncert_dir = $tmp/certs|" \
        "$MPC_DEV/$who/daemon.cnf"
    same "$(conf $who cert_dir)" "$tmp/certs" "cert_dir of $who"
    kill -HUP "$(pid_of $who)"
done
sim=$(conf node3 device)
must "$build/bin/mpc-snpsim" fault --socket "${sim#sim:}" no-certs
must "$mpcsign" dev restart node3
must "$mpcsign" dev kill node2
wait_for 20 "$mpcsign" sign "$tmp/f" --bundle "$tmp/b.json"
same "$(jq -c '[.signers[].node]' "$tmp/b.json")" '[1,3]' "who signed"
same "$(jq -c '[.signers[].evidence[0].chain | length]' "$tmp/b.json")" \
    '[2,2]' "certificates in the bundle"
must "$mpcsign" dev down --dir "$tmp/dev"
must env -u MPC_SIDECAR -u MPC_DEV "$mpcsign" verify "$tmp/f" \
    --bundle "$tmp/b.json" --policy "$tmp/policy.json" --allow-simulated
