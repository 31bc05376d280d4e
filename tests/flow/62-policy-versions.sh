#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A policy version from draft to force: the stewards are shown what changes,
# two of them are needed, every node follows, and what may not pass does not.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
next=$tmp/next.json
ssh-keygen -q -t ed25519 -N '' -f "$tmp/erin" -C ''
erin=$(cut -d' ' -f2 "$tmp/erin.pub" | base64 -d | tail -c 32 | base64 -w0 |
    tr +/ -_ | tr -d =)

edit() { # jq filter: the next version, changed
    "$mpcsign" policy draft >"$tmp/draft.json"
    jq "$1" "$tmp/draft.json" >"$next"
}
version() { "$mpcsign" status -o json | jq .policy.version; }
wait_for_version() { # node, version
    for _ in $(seq 100); do
        [ "$(MPC_SIDECAR=$tmp/dev/$1/sidecar.sock "$mpcsign" status -o json |
            jq .policy.version)" = "$2" ] && return
        sleep 0.1
    done
    fail "$1 is not at version $2"
}
add_erin=".persons += [{id:\"erin\", roles:[\"engineer\"], credentials:[{kind:\"sshsig\", key:\"$erin\"}]}]"

# ---- what cannot pass is said before anybody is asked
jq . "$MPC_DEV/policy.json" >"$next"
refuse 'version 2, want 3' "$mpcsign" policy propose "$next"
edit ".prev = \"11\" * 32"
refuse 'prev is not the hash' "$mpcsign" policy propose "$next"
edit '.steward_rule.steward = 7'
refuse 'steward' "$mpcsign" policy propose "$next"
edit '(.profiles[] | select(.name == "guarded")).required.engineer = 5'
refuse '5 engineers and 2 stewards cannot' "$mpcsign" policy propose "$next"
edit '.nodes |= map(select(.id != 3)) | .profiles |= map(.nodes -= [3])'
refuse 'node3, which holds a share' "$mpcsign" policy propose "$next"
edit '.persons[0].colour = "red"'
refuse 'colour|persons' "$mpcsign" policy propose "$next"
echo '{' >"$next"
refuse 'JSON|policy' "$mpcsign" policy propose "$next"
same "$(version)" 2 "version after nothing was proposed"

# ---- one steward, and another
edit "$add_erin"
"$mpcsign" policy diff "$next" >"$tmp/diff"
grep -q '^+ persons\[erin\]' "$tmp/diff" || fail "diff shows no erin"
same "$("$mpcsign" policy diff "$next" -o json | jq '[.changes[] |
    select(.path | test("^(version|prev)$") | not)] | length')" 1 "changes"
"$mpcsign" dev kill node3 >"$tmp/out" 2>&1
id=$("$mpcsign" policy propose "$next" --reason 'erin joins' 2>"$tmp/err")
same "${#id}" 64 "length of the id"
refuse 'not the version' "$mpcsign" policy approve "$id" --as bob \
    --file "$MPC_DEV/policy.json"
refuse 'alice' "$mpcsign" policy approve "$id" --as alice
must "$mpcsign" policy approve "$id" --as bob --file "$next"
grep -q '+ persons\[erin\]' "$tmp/out" || fail "bob was not shown the change"
grep -q 'not in force yet.*needs 2 stewards' "$tmp/out" || fail "bob alone"
must "$mpcsign" policy approve "$id" --as bob
same "$(version)" 2 "version after one steward, twice"
must "$mpcsign" policy approve "$id" --as carol
grep -q 'in force: version 3' "$tmp/out" || fail "carol"
same "$(version)" 3 "version after two stewards"
wait_for_version node2 3

# ---- a node that was away follows, and the log of versions says it all
must "$mpcsign" dev start node3
wait_for_version node3 3
"$mpcsign" policy show >"$tmp/show"
grep -q '^person.*erin.*engineer' "$tmp/show" || fail "show has no erin"
"$mpcsign" policy log >"$tmp/log"
grep -q 'asked by dev .*erin joins' "$tmp/log" || fail "log: who asked"
grep -Eq 'approved by bob, bob, carol|approved by bob, carol' "$tmp/log" ||
    fail "log: who approved"
same "$("$mpcsign" policy log -o json | jq -c '[.versions[].version]')" \
    '[3,2,1]' "versions"
same "$("$mpcsign" policy diff 2 3 -o json | jq -c '[.changes[] |
    select(.change == "+").path]')" '["persons[erin]"]' "diff 2 3"

# ---- a proposal made under the version before is over
edit '.persons |= map(select(.id != "erin"))'
late=$("$mpcsign" policy propose "$next" 2>"$tmp/err")
edit '.measurements.ca += ["11" * 32]'
first=$("$mpcsign" policy propose "$next" 2>"$tmp/err")
must "$mpcsign" policy approve "$first" --as bob
must "$mpcsign" policy approve "$first" --as carol
same "$(version)" 4 "version after the third change"
refuse 'version 4, want 5|another policy' "$mpcsign" policy approve "$late" \
    --as bob
refuse 'not at node|not known' "$mpcsign" policy approve "$(printf '0%.0s' \
    $(seq 64))" --as bob
# and the new person counts: she approves, the old keys still sign
echo artifact >"$tmp/f"
must psign "$tmp/f" "$tmp/f.sig"
s=$("$mpcsign" request "$tmp/f" --profile guarded 2>"$tmp/err")
must "$mpcsign" approve "$s" --as erin --role engineer --ssh-key "$tmp/erin"
must "$mpcsign" approve "$s" --as bob --role steward
must "$mpcsign" approve "$s" --as carol --role steward
must "$mpcsign" sign "$tmp/f" --profile guarded --session "$s" -s "$tmp/g.sig"
