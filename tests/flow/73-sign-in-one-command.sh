#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mpcsign sign leaves every file that was asked for, or none, and what was
# there before stays; big files, streams, wrong names, an interrupt, a node
# that is gone.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
cd "$tmp"
mkdir work
cd work
head -c 50000 /dev/urandom >app
pubkey "$tmp/pub.pem"
files() { ls -A | paste -sd' '; }

# nothing named: FILE.sig; a second run replaces it
must "$mpcsign" sign app
must verify "$tmp/pub.pem" app app.sig
must "$mpcsign" sign app
must verify "$tmp/pub.pem" app app.sig
rm app.sig

# both kinds in one session, a slot each, bound to the file by its name
must "$mpcsign" sign app -s a.sig --cms a.p7s --cert a.pem -o json
id=$(jq -r .session "$tmp/out")
same "$(jq -r '.slots | map("\(.kind)\(.attempt)") | join(",")' "$tmp/out")" \
    raw1,cms1 "slots"
same "$(files)" "a.p7s a.pem a.sig app" "files"
must verify "$tmp/pub.pem" app a.sig
must "$mpcsign" cms verify app --cms a.p7s --allow-simulated
curl -sf --unix-socket "$MPC_SIDECAR" "http://x/v1/session/$id" >"$tmp/session"
same "$(jq -r '"\(.artifact.name) \(.artifact.sha256) \(.slots|join(","))"' \
    "$tmp/session")" "app $(sha256sum app | cut -d' ' -f1) raw,cms" "session"
same "$(log_entries | grep -ac "^session $id")" 2 "intents of that session"

# a slot is good for one message: the session is used up, and says so
cp a.p7s before.p7s
sleep 1.1 # its time is among what is signed
refuse 'slot_burnt: request a new session' "$mpcsign" sign app --session "$id" \
    --cms a.p7s
cmp -s a.p7s before.p7s || fail "a failure replaced a file"
# for the same bytes it may be asked again
must "$mpcsign" sign app --session "$id" -s a.sig
refuse 'not what session' "$mpcsign" sign a.pem --session "$id" -s x
refuse 'no slot dsse|no slot tls|unknown option|--sigstore' \
    "$mpcsign" sign app --session "$id" --sigstore x
rm -f before.p7s

# any size, unless the whole is what is signed
truncate -s 40M big
must "$mpcsign" sign big --cms big.p7s
must "$mpcsign" cms verify big --cms big.p7s --allow-simulated
refuse 'big: over 16777216 bytes' "$mpcsign" sign big -s x --cms y
rm big big.p7s

# names that cannot be, before anything is asked
n=$(log_size)
refuse 'what is to be signed' "$mpcsign" sign app -s app
refuse 'what is to be signed' "$mpcsign" sign app -s ../work/app
refuse 'the same file' "$mpcsign" sign app -s x --cms ./x
refuse 'nothing can be written' "$mpcsign" sign app -s nowhere/x
refuse 'is no file' "$mpcsign" sign app -s "$tmp"
same "$(log_size)" "$n" "log after what was refused"
mkdir sub
touch sub/real
ln -s sub/real link
must "$mpcsign" sign app -s link
[ -L link ] && [ -s sub/real ] || fail "a link was not followed"
"$mpcsign" sign app -s >(cat >sub/piped) 2>/dev/null
wait_for 5 test -s sub/piped
must verify "$tmp/pub.pem" app sub/piped
must "$mpcsign" sign app -s /dev/null
[ -c /dev/null ] || fail "/dev/null was replaced"
rm -r sub link

# the evidence must hold before anything is written
must "$mpcsign" sign app -s a.sig --bundle a.json --cert a.pem
must "$mpcsign" verify app --bundle a.json --policy "$MPC_DEV/policy.json" \
    --allow-simulated
rm -f a.*

# a disk that is full: nothing new on it, and what was there is as it was
if unshare -rm true 2>/dev/null; then
    mkdir full
    unshare -rm bash -c 'mount -t tmpfs -o size=16k none full &&
        echo old >full/a.sig &&
        ! "$0" sign app -s full/a.sig --cms full/a.p7s --bundle full/a.json \
            2>"$1" && [ "$(ls full)" = a.sig ] &&
        [ "$(cat full/a.sig)" = old ]' "$mpcsign" "$tmp/err" ||
        fail "outputs on a full disk"
    grep -q 'full/a.json: No space left' "$tmp/err" || fail "what was full"
    rmdir full
fi

# interrupted while it waits for people, and while nodes are away
"$mpcsign" sign app --profile guarded -s g.sig --cms g.p7s 2>"$tmp/err" &
pid=$!
servers[$pid]=1
wait_for 20 grep -q 'mpcsign approve [0-9a-f]' "$tmp/err"
kill -INT "$pid"
code=0
wait "$pid" || code=$?
unset "servers[$pid]"
[ $code -ne 0 ] || fail "an interrupted sign ended well"
same "$(files)" app "files after an interrupt"
must "$mpcsign" dev kill node2
must "$mpcsign" sign app -s one.sig
must "$mpcsign" dev kill node3
echo old >one.sig
"$mpcsign" sign app -s one.sig --cms one.p7s --bundle one.json 2>"$tmp/err" &&
    fail "one node of three signed"
grep -q 'the CA certifies the key …\|the nodes sign …' "$tmp/err" || {
    cat "$tmp/err"
    fail "no progress was shown"
}
same "$(files)" "app one.sig" "files after a failure"
same "$(cat one.sig)" old "what was there before"
must "$mpcsign" dev start node2
wait_for 20 "$mpcsign" sign app -s one.sig
must verify "$tmp/pub.pem" app one.sig
