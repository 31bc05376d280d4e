#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A node that runs from an older copy of its disk: it hears from its peers that
# the key has moved on, signs nothing with its old share, says what to do, and
# a repair heals it. And what status says of a node that is down meanwhile.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
who=(--as dev --approve bob carol)
must pubkey "$tmp/pub.pem"
echo hello >"$tmp/f"
state=$(conf node3 state_dir)
must "$mpcsign" dev kill node3
cp -a "$state" "$tmp/copy"
must "$mpcsign" dev start node3
status() { MPC_SIDECAR=$(conf "node$1" socket) "$mpcsign" status "${@:2}"; }
# epoch NODE: where the key is, as the node says
epoch() { status "$1" -o json | jq '.epochs[] | select(.key == "release").live'; }
seen() { # by, node, state
    [ "$(status "$1" -o json | jq -r --argjson n "$2" '.epochs[] |
        select(.key == "release").nodes[] | select(.node == $n).state')" = "$3" ]
}
says() { status "$1" -o json | jq -r '.next[]' | grep -q "$2"; }

refresh() { "$mpcsign" key refresh release "${who[@]}"; }
wait_for 20 refresh
must "$mpcsign" key refresh release "${who[@]}"
new=$(epoch 1)
[ "$new" -ge 3 ] || fail "epoch $new after two refreshes"
wait_for 5 seen 1 3 ok
! status 1 | grep '^NEXT' || fail "there is nothing to do"

# ---- the older copy
must "$mpcsign" dev kill node3
find "$state" -mindepth 1 -delete
cp -a "$tmp/copy/." "$state/"
must "$mpcsign" dev start node3
in_epoch() { [ "$(epoch 3)" = "$new" ]; }
wait_for 20 in_epoch
says 3 'mpcsign key repair release' || { status 3; fail "it asks for nothing"; }
status 3 | grep -qE '^epoch +release .*node3 LOST' ||
    { status 3; fail "status of node3"; }
MPC_SIDECAR=$(conf node3 socket) "$mpcsign" doctor >"$tmp/doctor" || true
grep -qE '^warn.* epochs ' "$tmp/doctor" || { cat "$tmp/doctor"; fail "doctor"; }
grep -q 'key repair release' "$tmp/doctor" || fail "doctor names no command"
wait_for 40 seen 1 3 lost
says 1 'node3 has no share of epoch.*mpcsign key repair release' ||
    { status 1; fail "node1 does not say it of node3"; }
# two of three sign, and node3 is not one of them
must psign "$tmp/f" "$tmp/f.sig"
verify "$tmp/pub.pem" "$tmp/f" "$tmp/f.sig" || fail "a bad signature"
must "$mpcsign" dev kill node2
refuse 'needs 2 of 3' psign "$tmp/f" "$tmp/x.sig"
must "$mpcsign" dev start node2

# ---- healed
repair() { MPC_SIDECAR=$(conf node3 socket) "$mpcsign" key repair release "${who[@]}"; }
wait_for 20 repair
wait_for 40 seen 1 3 ok
must "$mpcsign" dev kill node2
wait_for 20 psign "$tmp/f" "$tmp/f.sig" # with node3's new share
verify "$tmp/pub.pem" "$tmp/f" "$tmp/f.sig" || fail "a bad signature"
must "$mpcsign" dev start node2

# ---- the end of a key is said as such
destroy() { "$mpcsign" key destroy release "${who[@]}"; }
wait_for 20 destroy
refuse 'destroyed' "$mpcsign" key show release
status 1 | grep -qE '^epoch +release +DESTROYED' || { status 1; fail "status"; }
