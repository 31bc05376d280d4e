#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A key moves under a signing load on real processes: refreshed, resharded to
# other nodes and back, repaired. Not one caller notices, the public key and
# what it signed stay.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev" --nodes 5 --threshold 3
pubkey "$tmp/pub.pem"
echo hello >"$tmp/f"
must psign "$tmp/f" "$tmp/before.sig"

show() { # node, jq filter
    MPC_SIDECAR=$tmp/dev/$1/sidecar.sock "$mpcsign" key show release -o json |
        jq -c "$2"
}
move() { # verb [more]
    must "$mpcsign" key "$1" release --as dev --approve bob carol "${@:2}"
}
shares() { # node: sealed shares of release at rest
    sqlite3 "$tmp/dev/$1/state/state.db" "SELECT
        (SELECT count(*) FROM epoch WHERE key='release' AND sealed IS NOT NULL)
        + (SELECT count(*) FROM key_move WHERE key='release' AND sealed IS NOT
        NULL)" 2>/dev/null || echo "$1: cannot be read"
}
holders() { # t, nodes as JSON: the release profile of the next version
    "$mpcsign" policy draft |
        jq "(.profiles[] | select(.name == \"release\")) |=
            (.threshold = $1 | .nodes = $2)" >"$tmp/next.json"
    local id
    id=$("$mpcsign" policy propose "$tmp/next.json" --reason holders 2>/dev/null)
    must "$mpcsign" policy approve "$id" --as bob --file "$tmp/next.json"
    must "$mpcsign" policy approve "$id" --as carol --file "$tmp/next.json"
    cp "$tmp/next.json" "$tmp/policy$1.json"
}
policies() { # all nodes judge by the same version
    local v
    v=$("$mpcsign" status -o json | jq .policy.version)
    for i in 1 2 3 4 5; do
        [ "$(MPC_SIDECAR=$tmp/dev/node$i/sidecar.sock "$mpcsign" status \
            -o json | jq .policy.version)" = "$v" ] || return 1
    done
}

# ---- a load: what fails is kept
load() {
    local i=0
    while [ ! -e "$tmp/stop" ]; do
        i=$((i + 1))
        MPC_SIDECAR=$tmp/dev/node$1/sidecar.sock psign "$tmp/f" \
            "$tmp/load$1.sig" >"$tmp/load$1.out" 2>&1 || {
            cat "$tmp/load$1.out"
            echo "node$1, signature $i"
        } >>"$tmp/failed"
        echo $i >"$tmp/count$1"
    done
}
loads() { # nodes
    rm -f "$tmp/stop"
    for n in "$@"; do
        load "$n" &
        servers[$!]=1
    done
}
unload() {
    touch "$tmp/stop"
    for p in "${!servers[@]}"; do
        wait "$p" || true
        unset "servers[$p]"
    done
    [ ! -s "$tmp/failed" ] || {
        cat "$tmp/failed"
        fail "a caller noticed"
    }
}

# ---- refreshed, again and again
loads 1 2
for i in 1 2 3 4; do
    move refresh
    same "$(show node3 .epoch)" $((i + 1)) "epoch"
done
for i in 1 2 3 4 5; do
    same "$(shares "node$i")" 1 "shares of node$i"
done
unload

# ---- to fewer nodes, and back to all
holders 2 '[1,2,3]'
wait_for 10 policies
loads 1 4
move reshare
same "$(show node4 '[.threshold, .nodes]')" '[2,[1,2,3]]' "2-of-3"
same "$(shares node4)" 0 "shares of node4, which has left"
unload
holders 3 '[1,2,3,4,5]'
wait_for 10 policies
# judged by a policy that asks for more nodes than the key still needs
must "$mpcsign" sign "$tmp/f" --bundle "$tmp/raised.json" --profile release
same "$(jq '.signers | length' "$tmp/raised.json")" 3 "signers of 3-of-5"
loads 2 5
move reshare
same "$(show node1 '[.threshold, .nodes]')" '[3,[1,2,3,4,5]]' "3-of-5"
unload

# ---- a node that is down is named; it keeps nobody from signing
"$mpcsign" dev kill node5 >"$tmp/out" 2>&1
refuse 'node5' "$mpcsign" key refresh release --as dev --approve bob carol
must psign "$tmp/f" "$tmp/down.sig"
must "$mpcsign" dev start node5
wait_for 20 "$mpcsign" key refresh release --as dev --approve bob carol

# ---- approved by people, one after another
"$mpcsign" key refresh release --no-wait --reason 'weekly' >"$tmp/id" 2>/dev/null
id=$(cat "$tmp/id")
same "${#id}" 64 "length of the id"
refuse 'approve' "$mpcsign" key refresh release --session "$id" --timeout 1
must "$mpcsign" approve "$id" --as bob --role steward
must "$mpcsign" approve "$id" --as carol --role steward
must "$mpcsign" key refresh release --session "$id"

# ---- the same key, and what it signed
pubkey "$tmp/pub2.pem"
cmp -s "$tmp/pub.pem" "$tmp/pub2.pem" || fail "the key changed"
must psign "$tmp/f" "$tmp/after.sig"
must verify "$tmp/pub.pem" "$tmp/f" "$tmp/after.sig"
must verify "$tmp/pub.pem" "$tmp/f" "$tmp/before.sig"
log_entries >"$tmp/entries"
same "$(grep -ac 'mpc-epoch/1' "$tmp/entries")" 8 "epochs in the log"
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
must "$mpcsign" sign "$tmp/f" --bundle "$tmp/b.json" --profile release
must "$mpcsign" verify "$tmp/f" --bundle "$tmp/b.json" \
    --policy "$MPC_DEV/policy.json" --policy "$tmp/policy2.json" \
    --policy "$tmp/policy3.json" --allow-simulated

# ---- and the end of another
must "$mpcsign" key destroy web --as dev --approve bob carol
"$mpcsign" key list >"$tmp/out"
grep -q '^web .*destroyed' "$tmp/out" || fail "web lives"
refuse 'exists already, or was destroyed' "$mpcsign" key create web --as dev \
    --approve bob carol
must psign "$tmp/f" "$tmp/after.sig"
echo "$(cat "$tmp"/count* | paste -sd+ | bc) signatures beside 8 moves"
