#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Who may ask, who has a say, and what stays on record: callers, the floor of
# REQUIRED_*, an external authoriser of every kind, and an audit chain in which
# no byte changes unseen.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
echo hello >"$tmp/f"
sock() { echo "$tmp/dev/$1/sidecar.sock"; }
audit() { # node [args]
    MPC_SIDECAR=$(conf "$1" socket) "$mpcsign" audit "${@:2}"
}
restart() { # node...
    for n; do must "$mpcsign" dev restart "$n" --dir "$MPC_DEV"; done
}
# set_conf NODE LINE...: appended to its configuration, afresh each time
set_conf() {
    local cnf=$MPC_DEV/$1/daemon.cnf
    [ -f "$cnf.plain" ] || cp "$cnf" "$cnf.plain"
    { cat "$cnf.plain"; printf '%s\n' "${@:2}"; } >"$cnf"
}
signs() { psign "$tmp/f" "$tmp/s" && verify "$tmp/pub" "$tmp/f" "$tmp/s"; }
must pubkey "$tmp/pub"

# ---- every call is a row, and the chain holds on each node
must signs
audit node1 -o json >"$tmp/rows"
same "$(jq -r '[.rows[] | select(.method == "POST /v1/sign" and
    .result == "ok")] | length > 0' "$tmp/rows")" true "a row for the signature"
jq -e '.rows[] | select(.method == "POST /v1/sign") |
    .actor | test("uid=[0-9]+ pid=[0-9]+ name=dev")' "$tmp/rows" \
    >"$tmp/out" || fail "the row does not name its caller"
session=$(jq -r '[.rows[] | select(.method == "POST /v1/sign")][-1].session' \
    "$tmp/rows")
audit node1 --session "$session" >"$tmp/out"
grep -q 'POST /v1/frost/round2 .*ok: share of release, raw, attempt 1' \
    "$tmp/out" || fail "node1's own share is not on record"
shares=0
for n in node1 node2 node3; do
    must audit $n --verify
    audit $n --session "$session" -o json >"$tmp/rows"
    shares=$((shares + $(jq '[.rows[] | select(.result == "ok" and
        (.detail | startswith("share of")))] | length' "$tmp/rows")))
    [ $n = node1 ] || jq -e '.rows[] | select(.detail | startswith("share of"))
        | .actor == "mpc://dev/sidecar/node1" and
        (.attestation | test("^[0-9a-f]{64}/[0-9a-f]{64}$"))' "$tmp/rows" \
        >"$tmp/out" || [ ! -s "$tmp/out" ] || fail "who led is not on record"
done
same "$shares" 2 "shares on record for one signature of two"
grep -q '"event":"audit","seq":' "$MPC_DEV/node1/log" ||
    fail "no audit line on stdout"
same "$("$mpcsign" status -o json | jq -r .caller.name)" dev "status: caller"

# ---- a copy of state.db: whatever is changed in it is found
head=$(audit node1 --verify -o json | jq -r .verified.head)
must audit node1 --verify --head "$head"
must "$mpcsign" dev kill node1 --dir "$MPC_DEV"
cp "$MPC_DEV"/node1/state/state.db* "$tmp/"
must "$mpcsign" dev start node1 --dir "$MPC_DEV"
python3 - "$tmp/state.db" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA journal_mode=DELETE")
PY
must "$mpcsign" audit --db "$tmp/state.db" --verify --head "$head"
# meddled SQL PATTERN [args]: a changed copy is refused, and the row is named
meddled() {
    cp "$tmp/state.db" "$tmp/bad.db"
    python3 - "$tmp/bad.db" "$1" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript(sys.argv[2])
db.commit()
PY
    if "$mpcsign" audit --db "$tmp/bad.db" --verify "${@:3}" >"$tmp/out" 2>&1
    then
        fail "not found: $1"
    else
        same $? 10 "exit code for: $1"
    fi
    grep -q "$2" "$tmp/out" || fail "$1: said $(cat "$tmp/out")"
}
for column in at actor method attestation session result detail prev hash; do
    meddled "UPDATE audit SET $column=CASE typeof($column)
        WHEN 'integer' THEN $column+1 WHEN 'text' THEN $column||'x'
        ELSE zeroblob(32) END WHERE seq=5" 'row 5'
done
meddled 'DELETE FROM audit WHERE seq=5' 'row 5: missing'
meddled 'DELETE FROM audit WHERE seq<5' 'row 5: is the oldest'
meddled 'UPDATE audit SET seq=-1 WHERE seq=5; UPDATE audit SET seq=5 WHERE
    seq=6; UPDATE audit SET seq=6 WHERE seq=-1' 'row 5'
meddled 'DELETE FROM audit WHERE seq>(SELECT MAX(seq)-9 FROM audit)' \
    'rows at the end are gone' --head "$head"

# ---- wrong words in the configuration: nothing starts, and it says why
starts_not() { # PATTERN LINE...
    set_conf node3 "${@:2}"
    refuse "$1" timeout 30 "$build/bin/mpc-sidecar" \
        -c "$MPC_DEV/node3/daemon.cnf"
}
must "$mpcsign" dev kill node3 --dir "$MPC_DEV"
starts_not 'REQUIRED_ENGINEERS: two: want a number' 'REQUIRED_ENGINEERS = two'
starts_not 'REQUIRED_STEWARDS: 65: want' 'REQUIRED_STEWARDS = 65'
starts_not 'audit_keep_days: -1' 'audit_keep_days = -1'
starts_not 'authoriser: .*want unix:' 'authoriser = http://example.org/x'
starts_not 'authoriser: .*want unix:' 'authoriser = https://127.0.0.1:1/x'
starts_not 'authoriser: .*want unix:' 'authoriser = http://127.0.0.1.evil:1/'
REQUIRED_ENGINEERS=-2 starts_not 'REQUIRED_ENGINEERS: -2: want' ''
sed -i '/^callers/d' "$MPC_DEV/node3/daemon.cnf.plain"
starts_not 'session_users: means nothing' ''
starts_not 'callers: dev: want UID=NAME' 'callers = dev'
cp "$MPC_DEV/node2/daemon.cnf" "$tmp/node2.cnf"
set_conf node3 "callers = $(id -u)=dev"
sed -i '/^session_users/d' "$MPC_DEV/node3/daemon.cnf.plain"
set_conf node3 "callers = $(id -u)=dev"
must "$mpcsign" dev start node3 --dir "$MPC_DEV"
must signs

# ---- REQUIRED_*: one node's floor holds that node's share and its callers
(
    export REQUIRED_ENGINEERS=1 REQUIRED_STEWARDS=2
    must "$mpcsign" dev restart node1 --dir "$MPC_DEV"
)
refuse 'needs approval by 1 engineers and 2 stewards|not_approved' \
    psign "$tmp/f" "$tmp/s"
"$mpcsign" policy show >"$tmp/show"
grep -q 'raised .*to 1 and 2' "$tmp/show" || fail "policy show: the floor"
grep -q 'profile  release .*needs 1 engineer and 2 stewards' "$tmp/show" ||
    fail "policy show: raised numbers"
"$mpcsign" status >"$tmp/status"
grep -q 'required .*1 engineers and 2 stewards' "$tmp/status" ||
    fail "status: raised numbers"
audit node1 >"$tmp/out"
grep -q 'POST /v1/sign .*not_approved' "$tmp/out" ||
    fail "the refusal is not on record"
# a negative one changes nothing: it can raise, never lower
(
    export REQUIRED_ENGINEERS=0 REQUIRED_STEWARDS=0
    must "$mpcsign" dev restart node1 --dir "$MPC_DEV"
)
must signs
refuse 'not_approved|approval' openssl pkeyutl -sign -provider mpc \
    -provider default -inkey mpc:guarded -rawin -in "$tmp/f" -out "$tmp/x"
restart node1

# ---- an approved session is its requester's
id=$("$mpcsign" request "$tmp/f" --profile guarded --slots raw --as dev)
for who in alice:engineer bob:steward carol:steward; do
    must "$mpcsign" approve "$id" --as "${who%:*}" --role "${who#*:}"
done
sed -i '/^callers/d; /^session_users/d' "$MPC_DEV/node1/daemon.cnf"
cp "$MPC_DEV/node1/daemon.cnf" "$MPC_DEV/node1/daemon.cnf.plain"
set_conf node1 "callers = $(id -u)=mallory"
restart node1
guarded() {
    MPC_SESSION=$id openssl pkeyutl -sign -provider mpc -provider default \
        -inkey mpc:guarded -rawin -in "$tmp/f" -out "$tmp/g"
}
refuse 'requested by dev; this caller is mallory|forbidden' guarded
audit node1 --session "$id" >"$tmp/out"
grep -q 'name=mallory .*forbidden: .*requested by dev' "$tmp/out" ||
    fail "mallory is not on record"
set_conf node1 "callers = $(id -u)=workload:build" \
    'session_users = workload:build'
restart node1
must guarded

# ---- the authoriser: on a Unix socket for one node, on loopback for another
echo allow >"$tmp/mode"
: >"$tmp/asked"
python3 "$here/tests/flow/authoriser.py" "$tmp/mode" "$tmp/asked" \
    "unix:$tmp/a.sock" &
servers[$!]=1
unix_server=$!
python3 "$here/tests/flow/authoriser.py" "$tmp/mode" "$tmp/asked" 0 \
    >"$tmp/port" &
servers[$!]=1
wait_for 20 test -S "$tmp/a.sock" -a -s "$tmp/port"
cp "$MPC_DEV/node2/daemon.cnf" "$MPC_DEV/node2/daemon.cnf.plain"
set_conf node1 "authoriser = unix:$tmp/a.sock:/v1/data/mpc" \
    'authoriser_timeout_ms = 700'
set_conf node2 "authoriser = http://127.0.0.1:$(cat "$tmp/port")/say" \
    'authoriser_timeout_ms = 700'
must "$mpcsign" dev kill node3 --dir "$MPC_DEV" # both must say yes
restart node1 node2
must signs
grep -q '^/v1/data/mpc {.*"profile":"release".*"lead":1' "$tmp/asked" ||
    fail "node1's authoriser was not asked"
grep -q '^/say {.*"kind":"raw".*"simulated":true' "$tmp/asked" ||
    fail "node2's authoriser was not asked"
id=$("$mpcsign" request "$tmp/f" --profile guarded --slots raw --as dev)
for who in alice:engineer bob:steward carol:steward; do
    must "$mpcsign" approve "$id" --as "${who%:*}" --role "${who#*:}"
done
must guarded
grep '"profile":"guarded"' "$tmp/asked" | sed 's/^[^ ]* //' |
    jq -e '.requester == "dev" and ([.approvals[].person] | sort ==
        ["alice", "bob", "carol"]) and .artifact.sha256 and
        (.participants | length) == 2' >"$tmp/out" ||
    fail "the authoriser was not told who approved"

for mode in deny slow garbage status created; do
    echo $mode >"$tmp/mode"
    refuse 'authoriser|denied' psign "$tmp/f" "$tmp/s"
    # the loop goes on while an authoriser makes it wait
    must "$mpcsign" status
    for n in node1 node2; do
        audit $n --since 1m >"$tmp/out"
        grep -q 'denied: authoriser: ' "$tmp/out" ||
            fail "$mode: nothing on $n's record"
    done
done
audit node1 --since 1m >"$tmp/out"
for why in 'denied: change freeze' 'no answer: .*' 'its answer is not' \
    'status 503' 'status 201'; do
    grep -q "authoriser: .*$why" "$tmp/out" ||
        fail "the record does not say: $why"
done
stop $unix_server
echo allow >"$tmp/mode"
refuse 'authoriser|denied' psign "$tmp/f" "$tmp/s" # it is gone
audit node1 --since 1m >"$tmp/out"
grep -q 'denied: authoriser: no answer' "$tmp/out" ||
    fail "an authoriser that is gone is not on record"
python3 "$here/tests/flow/authoriser.py" "$tmp/mode" "$tmp/asked" \
    "unix:$tmp/b.sock" &
servers[$!]=1
wait_for 20 test -S "$tmp/b.sock"
mv "$tmp/b.sock" "$tmp/a.sock"
wait_for 20 signs # and back
for n in node1 node2; do must audit $n --verify; done
