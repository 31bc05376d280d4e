#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A monitor, proofs and a search, by whoever has the log's address and key; and
# a log restored from an old copy, which the sidecars and the monitor refuse.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
log() { "$mpcsign" log "$@"; }
watch() { log watch --once --state "$tmp/watch" "$@"; }
# settled: every intent has its receipt, which comes a moment later
settled() {
    log search -o json | jq -e '[.entries[].type] |
        map(select(. == "intent")) as $i | map(select(. == "receipt")) as $r |
        ($i | length) == ($r | length)'
}
# code N COMMAND: it must end with this exit code
code() {
    local want=$1 got=0
    shift
    "$@" >"$tmp/out" 2>&1 || got=$?
    [ "$got" = "$want" ] || {
        cat "$tmp/out"
        fail "exit $got, want $want: $*"
    }
}

# address and key come from the environment that dev up printed
echo hello >"$tmp/f"
must "$mpcsign" sign "$tmp/f" --bundle "$tmp/f.mpc.json"
must wait_for 20 settled
code 0 watch --key release
grep -q ' intent ' "$tmp/out" || fail "no intent of the key: $(cat "$tmp/out")"
grep -q ' receipt ' "$tmp/out" || fail "no receipt: $(cat "$tmp/out")"
code 0 watch --key release
grep -q ' 0 of them new, 0 alarms' "$tmp/out" || fail "$(cat "$tmp/out")"
must log fsck

# what is in the log of a file, by the evidence beside it; the rest is salted
log search --artifact "$tmp/f" -o json >"$tmp/found"
index=$(jq '[.entries[] | select(.opens)][0].index' "$tmp/found")
[ "$index" != null ] || fail "the intent was not found: $(cat "$tmp/found")"
cp "$tmp/f" "$tmp/alone"
same "$(log search --artifact "$tmp/alone" -o json | jq '.entries | length')" \
    0 "a file alone"
# the sidecar keeps the salt of a session that was asked for
id=$("$mpcsign" request "$tmp/alone" --profile guarded 2>"$tmp/request.err")
must "$mpcsign" approve "$id" --as alice --role engineer
for who in bob carol; do
    must "$mpcsign" approve "$id" --as $who --role steward
done
must "$mpcsign" sign "$tmp/alone" --profile guarded --session "$id" \
    -s "$tmp/elsewhere.sig"
log search --artifact "$tmp/alone" --session "$id" >"$tmp/out"
grep -q 'opens to this file' "$tmp/out" || fail "by salt: $(cat "$tmp/out")"

# its proof, offline
must log prove "$index" -O "$tmp/proof"
must env -u MPC_LOG_URL "$mpcsign" log verify --proof "$tmp/proof"
grep -q '^ok   inclusion' "$tmp/out" || fail "$(cat "$tmp/out")"
sed 's/^index .*/index 0/' "$tmp/proof" >"$tmp/bad"
code 12 log verify --proof "$tmp/bad"

# a mirror, and what became of it
mirror() {
    must "$build/bin/mpc-log" export --url "$MPC_LOG_URL" \
        --vkey "$MPC_LOG_VKEY" "$1"
}
mirror "$tmp/web"
code 0 watch --url "file:$tmp/web"
cp -r "$tmp/web" "$tmp/old"
must psign "$tmp/f" "$tmp/f2.sig"
must wait_for 20 settled
mirror "$tmp/web"
cp -r "$tmp/web" "$tmp/forged"
bundle=$(ls "$tmp"/forged/tile/entries/000.p/* | sort -V | tail -1)
sed -i 's/mpc-receipt/mpc-Receipt/' "$bundle"
code 12 watch --url "file:$tmp/forged"
grep -q 'ALARM' "$tmp/out" || fail "$(cat "$tmp/out")"
code 0 watch --url "file:$tmp/web"
code 12 watch --url "file:$tmp/old"
grep -q 'shrunken_log' "$tmp/out" || fail "$(cat "$tmp/out")"

# the log comes back from an old copy and goes another way
must "$mpcsign" dev kill log
code 8 watch
cp -a "$MPC_DEV/log/state" "$tmp/state"
must "$mpcsign" dev start log
must wait_for 20 psign "$tmp/f" "$tmp/f3.sig"
must wait_for 20 settled
code 0 watch
must "$mpcsign" dev kill log
rm -r "$MPC_DEV/log/state"
cp -a "$tmp/state" "$MPC_DEV/log/state"
must "$mpcsign" dev start log
code 12 watch
grep -q 'shrunken_log' "$tmp/out" || fail "old copy: $(cat "$tmp/out")"
refuse 'two histories|has forked|hides' psign "$tmp/f" "$tmp/f4.sig"
[ ! -s "$tmp/f4.sig" ] || fail "a signature on a forked log"
overtaken() { # nodes that start say so there, whatever it did
    [ "$(log_size)" -gt "$(sed -n 's/^size //p' "$tmp/watch")" ] && return
    for node in node1 node2 node3; do
        must "$mpcsign" dev restart $node
    done
    sleep 1
    false
}
wait_for 40 overtaken
told() {
    "$mpcsign" status >"$tmp/out" && grep -q '^PROBLEM.*forked' "$tmp/out"
}
wait_for 20 told
code 12 watch
grep -q 'ALARM *fork' "$tmp/out" || fail "no fork: $(cat "$tmp/out")"
# both checkpoints, each signed by the log, are there for anybody to see
sed -n 's/^ *kept: //p' "$tmp/out" >"$tmp/kept"
same "$(wc -l <"$tmp/kept")" 2 "evidence"
while read -r note; do
    grep -q '^dev/log$' "$note" || fail "no checkpoint: $(cat "$note")"
done <"$tmp/kept"
