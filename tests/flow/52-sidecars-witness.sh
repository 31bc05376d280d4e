#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every sidecar is a witness of the log: the log shows their cosignatures, an
# old copy of it does not run past them, and a sidecar with an old disk learns
# from its peers what it has cosigned before.
. "$(dirname "$0")/lib.sh"
command -v curl >/dev/null || fail "curl is not installed"
up "$tmp/dev"
state=$(conf log state_dir)
origin=$(printf 'dev/log' | sha256sum | cut -c 1-64)

ask() { # node path
    curl -sf --unix-socket "$(conf "node$1" socket)" "http://node/$2"
}
told() { ask "$1" "$origin/checkpoint" | sed -n 2p; }
sign() {
    head -c 50 /dev/urandom >"$tmp/doc"
    psign "$tmp/doc" "$tmp/sig"
}
# the verifier key of a cosigner: name, key id, type and key
cosigner() { # node [another id]
    local hex id name=dev/node${2:-$1}
    hex=$(ask "$1" v1/status | sed -E 's/.*"identity":"([0-9a-f]{64})".*/\1/')
    printf '\004' >"$tmp/key"
    printf '%b' "$(sed -E 's/../\\x&/g' <<<"$hex")" >>"$tmp/key"
    id=$({ echo "$name"; cat "$tmp/key"; } | sha256sum | cut -c 1-8)
    printf '%s+%s+%s' "$name" "$id" "$(base64 -w 0 "$tmp/key")"
}
must sign
# one on this machine, two over the attested channel
{
    echo "witness n1 $(cosigner 1) unix:$(conf node1 socket)"
    echo "witness n2 $(cosigner 2) https://$(conf node2 listen)"
    echo "witness n3 $(cosigner 3) https://$(conf node3 listen)"
} >"$tmp/witnesses"
printf 'group all 3 n1 n2 n3\nquorum all\n' >>"$tmp/witnesses"
must "$mpcsign" dev kill log

# a name that is no node of the policy has no attested port
printf 'witness n9 %s https://%s\nquorum n9\n' "$(cosigner 2 9)" \
    "$(conf node2 listen)" >"$tmp/nobody"
{ cat "$MPC_DEV/log/daemon.cnf"; echo "witnesses = $tmp/nobody"; } \
    >"$tmp/nobody.cnf"
refuse 'witness n9: dev/node9 is no node of the policy' \
    timeout 60 "$build/bin/mpc-log" -c "$tmp/nobody.cnf"

printf 'witnesses = %s\n' "$tmp/witnesses" >>"$MPC_DEV/log/daemon.cnf"
must "$mpcsign" dev start log
wait_for 20 sign

# all three have cosigned what the public port shows
cosigned() {
    [ "$(curl -sf "$MPC_LOG_URL/checkpoint" | grep -c '^— dev/node')" = 3 ]
}
wait_for 20 cosigned
for i in 1 2 3; do
    ask $i "$origin/checkpoint" | grep -q "^— dev/node$i " ||
        fail "node$i shows no head of its own"
done

# a sidecar whose disk is a copy of before
disk=$(conf node3 state_dir)
must "$mpcsign" dev kill node3
cp -r "$disk" "$tmp/old-disk"
must "$mpcsign" dev start node3
before=$(told 3)
grown() { [ "$(told 3)" -gt "$((before + 3))" ]; }
for _ in 1 2 3 4; do must sign; done
wait_for 20 grown
newest=$(told 3)
must "$mpcsign" dev kill node3
rm -rf "$disk"
cp -r "$tmp/old-disk" "$disk"
must "$mpcsign" dev start node3
caught_up() { [ "$(told 3)" -ge "$newest" ]; }
wait_for 20 caught_up
must sign

# an old copy of the log, which they have seen more of
must "$mpcsign" dev kill log
cp -r "$state" "$tmp/old-state"
must "$mpcsign" dev start log
wait_for 20 sign
size=$(log_size)
seen() { [ "$(told 1)" -ge "$size" ]; }
wait_for 20 seen
must "$mpcsign" dev kill log
mv "$state" "$tmp/new-state"
cp -r "$tmp/old-state" "$state"
refuse '' timeout 60 "$build/bin/mpc-log" -c "$MPC_DEV/log/daemon.cnf"
grep -q 'witness n[123] has seen .* entries of this log, here are' \
    "$tmp/out" || {
    cat "$tmp/out"
    fail "another reason"
}
rm -rf "$state"
mv "$tmp/new-state" "$state"
must "$mpcsign" dev start log
wait_for 20 sign
ask 1 v1/status | grep -q '"fork":null' || fail "an honest log has forked"
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
