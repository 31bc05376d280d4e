#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A node whose allowed set is narrowed while it signs: SIGHUP drops every
# session within a second, no request is served after it, the log says why;
# the way back is the same. What cannot be read changes nothing.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
wrong=$(printf 'no such measurement' | sha256sum | cut -d' ' -f1)
config=$MPC_DEV/node2/daemon.cnf
log=$MPC_DEV/node2/log
echo hello >"$tmp/f"
must psign "$tmp/f" "$tmp/f.sig"
must "$mpcsign" dev kill node3 # now nothing is signed without node2

now_ms() { local t=${EPOCHREALTIME/[.,]/}; echo "${t%???}"; }
# one line an attempt: when it began, and how it ended
load() {
    while [ ! -e "$tmp/enough" ]; do
        local began
        began=$(now_ms)
        if psign "$tmp/f" "$tmp/load$1.sig" >"$tmp/load$1.out" 2>&1; then
            echo "$began ok"
        else
            echo "$began $(grep -oE 'policy_mismatch|TEE_POLICY_HASH mismatch' \
                "$tmp/load$1.out" | head -1)"
        fi >>"$tmp/load$1"
    done
}
for i in 1 2 3; do
    load $i &
    servers[$!]=1
done
served() { cat "$tmp"/load[123] 2>/dev/null | awk -v after="$1" \
    '$1 > after && $2 == "ok"' | wc -l; }
seen() { grep -c "$1" "$log" || true; }
reload() { # as systemctl reload does; prints how long it took
    local before asked
    before=$(seen 'reload .*why=signal')
    asked=$(now_ms)
    kill -HUP "$(pid_of node2)"
    while [ "$(seen 'reload .*why=signal')" = "$before" ]; do
        [ $(($(now_ms) - asked)) -lt 5000 ] || fail "no reload within 5 s"
        sleep 0.02
    done
    echo $(($(now_ms) - asked))
}
some_served() { [ "$(served "$1")" -ge 5 ]; }
some_refused() {
    [ "$(cat "$tmp"/load[123] | awk -v after="$1" \
        '$1 > after && $2 != "ok"' | wc -l)" -ge 10 ]
}
wait_for 60 some_served 0

cp "$config" "$tmp/config"
sed "s/^TEE_POLICY_HASH.*//;s/^device *=/TEE_POLICY_HASH = $wrong\n&/" \
    "$tmp/config" >"$config"
grep -q "^TEE_POLICY_HASH = $wrong" "$config" || fail "config not narrowed"
took=$(reload)
closed=$(now_ms)
[ "$took" -le 1000 ] || fail "the reload took $took ms"
wait_for 60 some_refused "$closed"
same "$(served "$closed")" 0 "signatures begun after the reload"
grep -q "attest.refused .*code=policy_mismatch .*$wrong" "$log" || {
    tail -20 "$log"
    fail "node2's log does not say why"
}
grep -q "attest.self .*$wrong" "$log" ||
    fail "node2 does not say that it excludes itself"

# a configuration that cannot be read changes nothing, and is told
printf 'attestation_policy = /nonexistent\n' >>"$config"
before=$(seen 'reload.failed')
kill -HUP "$(pid_of node2)"
told() { [ "$(seen 'reload.failed')" -gt "$before" ]; }
wait_for 5 told
again=$(now_ms)
wait_for 60 some_refused "$again"
same "$(served "$closed")" 0 "signatures after a reload that failed"

cp "$tmp/config" "$config"
took=$(reload)
opened=$(now_ms)
wait_for 60 some_served "$opened"

# an attestation policy of the node's own: one that fits, and one that names
# another processor
rules() { # FILE CHIPS
    sed -e 's/"crl": *"require"/"crl": "off"/' \
        -e "s/\"chips\": *null/\"chips\": $2/" \
        "$here/docs/attest-policy.json" |
        python3 -c 'import json, sys
p = json.load(sys.stdin)
p["measurements"] = None
p["platform"] and p["platform"].update(must_set=[])
json.dump(p, sys.stdout)' >"$1"
}
rules "$tmp/fits.json" null
rules "$tmp/pins.json" "[\"$(printf '11%.0s' {1..64})\"]"
{
    cat "$tmp/config"
    echo "attestation_policy = $tmp/fits.json"
} >"$config"
reload >/dev/null
fits=$(now_ms)
wait_for 60 some_served "$fits"
sed "s/fits/pins/" "$config" >"$tmp/pinned"
cp "$tmp/pinned" "$config"
reload >/dev/null
pinned=$(now_ms)
wait_for 60 some_refused "$pinned"
same "$(served "$pinned")" 0 "signatures with a processor nobody pinned"
grep -q 'attest.refused .*P13 chip' "$log" || {
    tail -5 "$log"
    fail "the log says nothing of the chip"
}
touch "$tmp/enough"
echo "closed in at most $took ms; $(cat "$tmp"/load[123] | wc -l) attempts"
