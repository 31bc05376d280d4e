#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything under a cluster is replaced while it signs: of 2-of-3 each node
# after another gets new keys on an empty disk; then 3-of-5, and 2-of-3 again;
# refreshed many times (MPC_REFRESHES). Not one signature fails, and the public
# key is the first one's.
. "$(dirname "$0")/lib.sh"
refreshes=${MPC_REFRESHES:-5}
up "$tmp/dev" --nodes 5 --threshold 2
by=(--as dev --approve bob carol)
echo hello >"$tmp/f"
pubkey "$tmp/pub.pem"
"$mpcsign" ca chain >"$tmp/root.pem"
uri() { "$mpcsign" policy show -o json |
    jq -r ".document.nodes[] | select(.id == $1).uri"; }
uri4=$(uri 4)
uri5=$(uri 5)

sock() { conf "node$1" socket; }
shape() { MPC_SIDECAR=$(sock "$1") "$mpcsign" key show "${2:-release}" \
    -o json | jq -c '[.threshold, .nodes]'; }
status() { MPC_SIDECAR=$(sock "$1") "$mpcsign" status -o json; }
keys() { MPC_SIDECAR=$(sock "$1") "$mpcsign" key list -o json |
    jq -c '[.keys[] | select(.epoch > 0) | [.name, .group_key]]'; }
before=$(keys 1)
# node DRIVER VERB N [more]
node() { MPC_SIDECAR=$(sock "$1") must "$mpcsign" node "$2" "$3" "${@:4}" \
    --at "$(sock "$3")" "${by[@]}"; }

# ---- to three nodes: the two others are not even in the policy
node 1 remove 5
node 1 remove 4
same "$(shape 1)" '[2,[1,2,3]]' "shape"
same "$("$mpcsign" policy show -o json | jq '.document.nodes | length')" 3 \
    "nodes in the policy"

# ---- the load: at the node that $tmp/use names, and nothing may fail
load() { # number
    local n at
    while [ ! -e "$tmp/stop" ]; do
        read -r at <"$tmp/use$1"
        MPC_SIDECAR=$(sock "$at") psign "$tmp/f" "$tmp/load$1.sig" \
            >"$tmp/load$1.out" 2>&1 || {
            echo "signature at node$at, with node $(cat "$tmp/now"):"
            cat "$tmp/load$1.out"
        } >>"$tmp/failed"
        echo "$at" >>"$tmp/signed$1"
    done
}
put() { # load, node: at once, it is read meanwhile
    echo "$2" >"$tmp/use$1.new"
    mv "$tmp/use$1.new" "$tmp/use$1"
}
now() { echo "$*" >"$tmp/now"; }
use() { # two nodes; what began at those before has ended when this returns
    local i had=()
    for i in 1 2; do
        had[i]=$(wc -l <"$tmp/signed$i" 2>/dev/null || echo 0)
    done
    put 1 "$1"
    put 2 "$2"
    for i in 1 2; do
        wait_for 20 grew "$i" $((had[i] + 2))
    done
}
grew() { [ "$(wc -l <"$tmp/signed$1")" -ge "$2" ]; }
now start
: >"$tmp/signed1"
: >"$tmp/signed2"
put 1 1
put 2 2
for i in 1 2; do
    load $i &
    servers[$!]=1
done

refresh() { # node, times
    local i
    for ((i = 0; i < $2; i++)); do
        now "refresh at $1"
        MPC_SIDECAR=$(sock "$1") must "$mpcsign" key refresh release "${by[@]}"
    done
}
whole() { status "$1" | jq -e '.problems == [] and
    ([.keys[] | select(.share)] | length) == 4'; }

# ---- all three, one after another
replace() { # N, the two others
    use "$2" "$3"
    now "$1 leaves"
    node "$2" upgrade "$1"
    now "$1 is replaced"
    must "$mpcsign" dev kill "node$1"
    rm -rf "$MPC_DEV/node$1/state"
    must "$mpcsign" dev start "node$1"
    now "$1 joins"
    node "$2" upgrade "$1"
    wait_for 20 whole "$1"
    same "$(shape "$2")" '[2,[1,2,3]]' "shape"
}
replace 1 2 3
replace 2 3 1
replace 3 1 2
refresh 1 "$refreshes"

# ---- 3-of-5, and back
now "5 nodes"
node 1 add 4 "$uri4"
node 2 add 5 "$uri5" --threshold 3
same "$(shape 1)" '[3,[1,2,3,4,5]]' "shape"
wait_for 20 whole 5
use 4 5
refresh 3 2
use 1 2
now "3 nodes"
node 1 remove 5
node 1 remove 4 --threshold 2
same "$(shape 1)" '[2,[1,2,3]]' "shape"
refresh 2 1

touch "$tmp/stop"
for p in "${!servers[@]}"; do
    wait "$p" || true
    unset "servers[$p]"
done
[ ! -s "$tmp/failed" ] || {
    cat "$tmp/failed"
    fail "a caller noticed"
}
same "$(keys 2)" "$before" "group keys"
pubkey "$tmp/pub2.pem"
cmp "$tmp/pub.pem" "$tmp/pub2.pem" || fail "another key"
"$mpcsign" ca chain >"$tmp/root2.pem"
cmp "$tmp/root.pem" "$tmp/root2.pem" || fail "another root"
must psign "$tmp/f" "$tmp/f.sig"
must verify "$tmp/pub.pem" "$tmp/f" "$tmp/f.sig"
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
echo "$(cat "$tmp"/signed? | wc -l) signatures, epoch $("$mpcsign" key show \
    release -o json | jq .epoch)"
