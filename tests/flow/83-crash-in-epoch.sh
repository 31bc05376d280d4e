#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real processes end hard at each place of a move, as member and as driver.
# They start again, the move goes on with the same session, and afterwards the
# key signs, one epoch is live, and nothing older is at rest.
#   83-crash-in-epoch.sh [N [SEED]]    N crashes (MPC_CRASHES, 9: each place
#                                      once, a minute); which
#                                      node at which place is the seed's
. "$(dirname "$0")/lib.sh"
mkdir "$tmp/points"
export MPC_FAILPOINT=$tmp/points
up "$tmp/dev"
pubkey "$tmp/pub.pem"
echo hello >"$tmp/f"
must psign "$tmp/f" "$tmp/f.sig"

arm() { # node, place
    printf '%s:kill\0' "$2" |
        dd of="$tmp/points/$(pid_of "$1")" conv=notrunc status=none
}
dead() { ! kill -0 "$1" 2>/dev/null; }
epoch() { # node
    MPC_SIDECAR=$tmp/dev/$1/sidecar.sock "$mpcsign" key show release -o json |
        jq .epoch
}
old_shares() { # node, epoch
    sqlite3 "$tmp/dev/$1/state/state.db" "SELECT
        (SELECT count(*) FROM epoch WHERE key='release' AND epoch<$2 AND
        sealed IS NOT NULL) + (SELECT count(*) FROM key_move WHERE
        key='release' AND epoch<$2 AND sealed IS NOT NULL)"
}
settled() {
    local e
    e=$(epoch node1)
    for n in node1 node2 node3; do
        [ "$(epoch $n)" = "$e" ] && [ "$(old_shares $n "$e")" = 0 ] || return 1
    done
}
refresh() { # session; on a node that runs
    "$mpcsign" key refresh release --session "$1"
}

places=(epoch_burnt epoch_prepared epoch_voted epoch_certified epoch_active
    epoch_retiring epoch_retired change_voted change_logged)
RANDOM=${2:-1}
echo "seed ${2:-1}"
for ((i = 0; i < ${1:-${MPC_CRASHES:-9}}; i++)); do
    place=${places[i % ${#places[@]}]}
    # the driver is node1; of the others one falls, and at times the driver
    who=node$((RANDOM % 3 + 1))
    [ "${place%%_*}" = change ] && who=node1
    id=$("$mpcsign" key refresh release --no-wait 2>/dev/null)
    must "$mpcsign" approve "$id" --as bob --role steward
    must "$mpcsign" approve "$id" --as carol --role steward
    pid=$(pid_of "$who")
    arm "$who" "$place"
    MPC_SIDECAR=$tmp/dev/node1/sidecar.sock refresh "$id" >"$tmp/out" 2>&1 ||
        true
    wait_for 15 dead "$pid"
    up=node$((${who#node} % 3 + 1))
    export MPC_SIDECAR=$tmp/dev/$up/sidecar.sock
    wait_for 20 psign "$tmp/f" "$tmp/f.sig" # two of three
    must "$mpcsign" dev start "$who"
    export MPC_SIDECAR=$tmp/dev/node1/sidecar.sock
    wait_for 30 refresh "$id"
    wait_for 20 settled
    wait_for 20 psign "$tmp/f" "$tmp/f.sig"
    must verify "$tmp/pub.pem" "$tmp/f" "$tmp/f.sig"
    echo "$place at $who: epoch $(epoch node1)"
done
pubkey "$tmp/pub2.pem"
cmp -s "$tmp/pub.pem" "$tmp/pub2.pem" || fail "the key changed"
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
