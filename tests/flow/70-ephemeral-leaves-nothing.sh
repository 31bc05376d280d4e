#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The key of one session is gone when its slots are used, or its time is up:
# the search that finds its shares in the vaults while it lives finds them
# nowhere afterwards, in no process, file or core; nothing signs by its name;
# its certificate expires, and the bundle still verifies.
. "$(dirname "$0")/lib.sh"
cd "$tmp" # cores would fall here
ulimit -c "$(ulimit -H -c)"
up "$tmp/dev"
head -c 3000 /dev/urandom >app
root=
[ "$(id -u)" != 0 ] || root=1

vault_of() {
    curl -sf --unix-socket "$(conf "$1" socket)" http://x/v1/status |
        jq -r .vault_pid
}
nodes="node1 node2 node3"
declare -A vaults
for n in $nodes; do
    vaults[$n]=$(vault_of "$n")
done
scan() { "$build/tests/scan_secrets" --points "$points" "$@"; }
must "$build/tests/scan_secrets" --self-test

# how many vaults hold a share of the key
holders() {
    local n=0 node rc
    for node in $nodes; do
        rc=0
        scan --pid "${vaults[$node]}" >"$tmp/out" 2>&1 || rc=$?
        [ $rc -le 1 ] || { cat "$tmp/out" >&2; fail "cannot look into $node"; }
        n=$((n + rc))
    done
    echo "$n"
}
nobody_holds() { [ "$(holders)" = 0 ]; }
# every process of the cluster but the vaults, and every file
nowhere_else() {
    local who pid
    for who in $nodes ca log; do
        must scan --pid "$(pid_of "$who")"
        pid=$(cat "$MPC_DEV/$who/sim.pid" 2>/dev/null) || continue
        must scan --pid "$pid"
    done
    find "$MPC_DEV" "$tmp" -maxdepth 3 -type f -print0 |
        xargs -0 "$build/tests/scan_secrets" --points "$points" --files \
            >"$tmp/scanned" 2>&1 || {
        cat "$tmp/scanned"
        fail "a share in a file"
    }
}
# points_of BUNDLE: the verifying shares of its key
points_of() { jq -r '.birth.cert.votes[].y' "$1" | paste -sd,; }
unusable() { # ID
    refuse . openssl pkeyutl -sign -provider mpc -provider default -rawin \
        -inkey "mpc:once?session=$1" -in app -out x
    refuse . openssl cms -sign -binary -in app -signer "mpc:once?session=$1" \
        -inkey "mpc:once?session=$1" -outform DER -out x
    refuse . "$mpcsign" sign app --profile once --session "$1" -s x
    refuse . "$mpcsign" sign app --profile once --session "$1" --cms x
    [ ! -s x ] || fail "something was written"
}

# one of two slots used: the key lives
id=$("$mpcsign" request app --profile once --slots raw,cms 2>"$tmp/err") || {
    cat "$tmp/err"
    fail "request"
}
must "$mpcsign" sign app --profile once --session "$id" -s a.sig \
    --bundle a.json --cert a.pem
points=$(points_of a.json)
n=$(jq '.birth.cert.votes | length' a.json)
[ "$n" -ge 2 ] || fail "only $n endorsed the key"
if [ -n "$root" ]; then
    same "$(holders)" "$n" "vaults with a share while the key lives"
else
    echo "not root: a vault's memory cannot be read, as it should be"
fi
nowhere_else

# the last slot: it is gone
must "$mpcsign" sign app --profile once --session "$id" --cms a.p7s
must "$mpcsign" cms verify app --cms a.p7s --allow-simulated
[ -z "$root" ] || wait_for 10 nobody_holds
nowhere_else
unusable "$id"

# minutes later: the leaf is no more, the evidence is
must stock verify -purpose any -CAfile "$MPC_DEV/ca.pem" a.pem
refuse '' stock x509 -in a.pem -noout -checkend 601
same "$(faketime -f +1d date +%j)" "$(date -d '+1 day' +%j)" "faketime"
refuse 'expired' faketime -f +1d openssl verify -purpose any \
    -CAfile "$MPC_DEV/ca.pem" a.pem
must faketime -f +400d "$mpcsign" verify app --bundle a.json \
    --policy "$MPC_DEV/policy.json" --allow-simulated

# nobody comes for the other slot: it ends with its session
id=$("$mpcsign" request app --profile once --slots raw,cms --ttl 12 \
    2>"$tmp/err")
must "$mpcsign" sign app --profile once --session "$id" -s b.sig \
    --bundle b.json
points=$(points_of b.json)
[ -z "$root" ] || wait_for 30 nobody_holds
nowhere_else
[ -n "$root" ] || sleep 13
unusable "$id"

# a vault that dies while a key lives leaves no core; a sidecar's holds none
id=$("$mpcsign" request app --profile once --slots raw,cms 2>"$tmp/err")
must "$mpcsign" sign app --profile once --session "$id" -s c.sig \
    --bundle c.json
points=$(points_of c.json)
kill -SEGV "${vaults[node2]}"
wait_for 10 test ! -d "/proc/${vaults[node2]}/fd"
same "$(ls core* 2>/dev/null)" "" "cores of a vault"
kill -ABRT "$(pid_of node3)"
wait_for 10 test ! -d "/proc/$(pid_of node3)/fd"
nowhere_else_files=$(find "$tmp" -name 'core*' | paste -sd' ')
[ "$(ulimit -c)" = 0 ] || [ "$(cat /proc/sys/kernel/core_pattern)" != core ] ||
    [ -n "$nowhere_else_files" ] || fail "a sidecar left no core to look at"
find "$tmp" -name 'core*' -print0 | xargs -0r "$build/tests/scan_secrets" \
    --points "$points" --files >"$tmp/scanned" || fail "a share in a core"
