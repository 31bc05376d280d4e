#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Evidence, years later: no cluster, no network, no clock that agrees. As a
# user types it, and once more by hand with OpenSSL (docs/EVIDENCE.md).
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
cd "$tmp"
head -c 70000 /dev/urandom >app.tar.gz
cp "$MPC_DEV/policy.json" policy.json

must "$mpcsign" sign app.tar.gz --bundle app.mpc.json
must "$mpcsign" trust export --out trust.json
id=$("$mpcsign" request app.tar.gz --profile guarded --slots raw,cms \
    --reason 'release <b>1.0</b> & "friends" of it' 2>/dev/null)
must "$mpcsign" approve "$id" --as alice --role engineer --yes
must "$mpcsign" approve "$id" --as bob --role steward --yes
must "$mpcsign" approve "$id" --as carol --role steward --yes
must "$mpcsign" sign app.tar.gz --profile guarded --session "$id" \
    --bundle guarded.mpc.json -s guarded.sig --cms guarded.p7s
curl -sS --unix-socket "$MPC_SIDECAR" -o cms.mpc.json \
    "http://localhost/v1/bundle/$id?slot=cms"

# one of three is dead: signed all the same, and the bundle says who saw it
must "$mpcsign" dev kill node3
must "$mpcsign" sign app.tar.gz -s two.sig --bundle two.mpc.json
# the log is dead: signed bundles are asked for again later
must "$mpcsign" dev down --dir "$tmp/dev"
unset MPC_SIDECAR MPC_DEV MPC_LOG_URL

# no network, another century
alone() {
    local cut=(unshare -rn) late=()
    "${cut[@]}" true 2>/dev/null || cut=()
    command -v faketime >/dev/null && late=(faketime '2099-01-01 00:00:00')
    "${cut[@]}" "${late[@]}" "$mpcsign" verify app.tar.gz "$@"
}
must alone --bundle app.mpc.json --policy trust.json --allow-simulated
for id in trust bundle whole signature kind policy cluster artifact \
    commitment intent approvals log receipt history cosigned birth signers \
    attested certificate issuer hardware; do
    grep -q "^ok   $id " out || fail "no check $id"
done
grep -q 'by 3 of 3 nodes.*no fork can hide' out || fail "fork-proof, unsaid"
must alone --bundle two.mpc.json --policy policy.json --allow-simulated
grep -q 'by 2 of 3 nodes.*fewer than' out || fail "two cosigners, unsaid"
for b in guarded cms; do
    must alone --bundle $b.mpc.json --policy trust.json --allow-simulated
    grep -q '1 engineers and 2 stewards' out || fail "$b: who approved, unsaid"
done
grep -q '^ok   kind *cms: the signed bytes name the file' out ||
    fail "cms: kind"

# it opens no socket at all
if command -v strace >/dev/null; then
    strace -f -e trace=%network -o net "$mpcsign" verify app.tar.gz \
        --bundle app.mpc.json --policy trust.json --allow-simulated >out ||
        fail "verify under strace"
    ! grep -E '(socket|connect)\(' net || fail "verify opened a socket"
fi

# simulated, unless allowed; as JSON
alone --bundle app.mpc.json --policy trust.json -o json >out 2>&1 &&
    fail "simulated was taken for real"
same "$(jq -c '[.ok, .simulated, .fork_proof, .error.code]' out)" \
    '[false,true,true,7]' "the verdict"
same "$(jq -r '.checks[] | select(.ok | not) | .id' out)" hardware \
    "what failed"
jq -e '.checks | all(has("id") and has("ok") and has("expected") and
    has("actual") and has("words"))' out >/dev/null || fail "schema"

# the page: nothing runs in it, nothing is loaded, a name is no HTML
must alone --bundle guarded.mpc.json --policy trust.json --allow-simulated \
    --html page.html
grep -q '&lt;b&gt;1.0&lt;/b&gt; &amp; &quot;friends&quot;' page.html ||
    fail "the reason is not escaped"
grep -qE '<script|src=|href=|url\(|https?://| style=' page.html &&
    fail "the page asks for more than itself"
if command -v chromium >/dev/null; then
    chromium --headless=new --no-sandbox --disable-gpu \
        --disable-dev-shm-usage --user-data-dir="$tmp/browser" \
        --enable-logging=stderr --dump-dom "file://$tmp/page.html" \
        >dom 2>browser.log || fail "chromium"
    grep -q 'Content Security Policy' browser.log && fail "CSP: $(cat browser.log)"
    grep -q 'This signature holds' dom || fail "the page says nothing"
fi

# by hand
unhex() { tr a-f A-F | basenc -d --base16; }
b=app.mpc.json
(
    printf 302a300506032b6570032100
    jq -j .group_key $b
) | unhex | stock pkey -pubin -inform DER -out key.pem
jq -j .signature $b | unhex >by-hand.sig
must stock pkeyutl -verify -pubin -inkey key.pem -rawin -in app.tar.gz \
    -sigfile by-hand.sig
jq -j '.session.descriptor | gsub("-";"+") | gsub("_";"/") | @base64d' $b \
    >session.json
jq -j .intent.entry $b >intent
session=$( (
    printf 'mpc/session/v1\0'
    cat session.json
) | sha256sum | cut -c-64)
grep -qx "session $session" intent || fail "by hand: session"
commitment=$( (
    printf 'mpc/message/v1\0'
    jq -j .nonce session.json | unhex
    stock dgst -sha512 -binary app.tar.gz
) | sha256sum | cut -c-64)
grep -qx "commitment $commitment" intent || fail "by hand: commitment"
jq -j .intent.checkpoint $b >note
sed '/^$/,$d' note >body
tail -n 1 note | cut -d' ' -f3 | base64 -d | tail -c 64 >note.sig
(
    printf 302a300506032b6570032100 | unhex
    jq -r .log policy.json | cut -d+ -f3- | base64 -d | tail -c 32
) | stock pkey -pubin -inform DER -out log.pem
must stock pkeyutl -verify -pubin -inkey log.pem -rawin -in body \
    -sigfile note.sig
h=$( (
    printf '\0'
    cat intent
) | sha256sum | cut -c-64)
n=$(jq .intent.index $b) l=$(($(sed -n 2p note) - 1))
for s in $(jq -r '.intent.path[]' $b); do
    if ((n % 2)) || ((n == l)); then
        h=$(printf '01%s%s' "$s" "$h" | unhex | sha256sum | cut -c-64)
        while ((n % 2 == 0 && n > 0)); do n=$((n / 2)) l=$((l / 2)); done
    else
        h=$(printf '01%s%s' "$h" "$s" | unhex | sha256sum | cut -c-64)
    fi
    n=$((n / 2)) l=$((l / 2))
done
same "$(printf %s "$h" | unhex | base64)" "$(sed -n 3p note)" "by hand: root"
jq -j '.receipt[0].entry' $b |
    grep -qx "signature $(sha256sum by-hand.sig | cut -c-64)" ||
    fail "by hand: receipt"
