#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Passkeys in a real browser: an engineer and two stewards enrol on the page,
# a version takes their keys up, three approvals on the page, and plain
# openssl signs. At a phone's and a desk's size nothing scrolls sideways,
# nothing is blocked, and the keyboard alone is enough.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/browser.sh"
up "$tmp/dev"
driver_up
[ -n "$MPC_APPROVE_URL" ] || fail "no approval page"
# to be looked at: all of them where somebody will
shots=${MPC_SHOTS:-$tmp/shots}
modes=light
[ -z "${MPC_SHOTS:-}" ] || modes="light dark"
mkdir -p "$shots"

# sound NAME BROWSER: fits, and nothing went wrong
sound() {
    local size mode
    for size in 390x844 1280x800; do
        for mode in $modes; do
            window "$2" "${size%x*}" "${size#*x}" $mode
            same "$(js "$2" 'const e = document.documentElement;
                return e.scrollWidth <= e.clientWidth')" true \
                "$1 at $size scrolls sideways"
            shot "$2" "$shots/$1-$size-$mode.png"
        done
    done
    nothing_wrong "$2"
}
# in_sight BROWSER ID ...: within the window, without scrolling
in_sight() {
    local browser=$1
    shift
    same "$(js "$browser" 'return [...arguments].filter((id) => {
        const r = document.getElementById(id).getBoundingClientRect();
        return !(r.width > 0 && r.top >= 0 && r.bottom <= innerHeight &&
            r.left >= 0 && r.right <= innerWidth);
    }).join(" ")' "$@")" "" "not in sight"
}

text_of() { js "$1" 'return document.getElementById(arguments[0]).innerText' "$2"; }

# ---- enrolment ---------------------------------------------------------------

# enrol PERSON ROLE BROWSER [CHECK]: with a look at the page before and after
enrol() {
    local url
    url=$("$mpcsign" policy invite "$1" --role "$2" 2>/dev/null)
    key=$(authenticator "$3")
    goto "$3" "$url"
    until_js "$3" 20 '!document.getElementById("invite").hidden'
    same "$(js "$3" 'return location.hash')" "" "the code stayed in the address"
    same "$(js "$3" 'return document.activeElement.id')" register focus
    ${4:-true} "enrol-$1" "$3"
    press "$3" Enter
    until_js "$3" 20 '!document.getElementById("done").hidden'
    ${4:-true} "enrolled-$1" "$3"
    nothing_wrong "$3"
    same "$(js "$3" 'return [...document.querySelectorAll("#words li")]
        .map((e) => e.textContent).join(" ")')" \
        "$("$mpcsign" policy enrolments -o json | jq -r --arg p "$1" \
            'first(.enrolments[] | select(.person == $p)).words')" \
        "words of $1, by page and by terminal"
    [ "${5:-}" != spare ] || spare "$3"
    # the same code again
    goto "$3" "about:blank"
    goto "$3" "$url"
    until_js "$3" 20 '!document.getElementById("problem").hidden'
    js "$3" 'return document.getElementById("problem").textContent' |
        grep -q 'used already' || fail "an invite worked twice"
    wd POST "/session/$3/se/log" '{"type":"browser"}' >/dev/null # that 409
}
# spare BROWSER: the same key is none; another is, and then there is no third
spare() {
    local kept at=/session/$1/webauthn/authenticator c
    js "$1" 'document.getElementById("spare").click()' >/dev/null
    until_js "$1" 20 '!document.getElementById("problem").hidden'
    text_of "$1" problem | grep -q 'registered already' ||
        fail "one key was taken for two"
    kept=$(wd GET "$at/$key/credentials")
    wd DELETE "$at/$key" >/dev/null
    key=$(authenticator "$1")
    js "$1" 'document.getElementById("words").textContent = "";
        document.getElementById("spare").click()' >/dev/null
    until_js "$1" 20 'document.querySelectorAll("#words li").length === 6'
    same "$(js "$1" 'return document.getElementById("again").hidden')" true \
        "a third key is offered"
    wd DELETE "$at/$key" >/dev/null
    key=$(authenticator "$1")
    while read -r c; do
        wd POST "$at/$key/credential" "$c" >/dev/null
    done < <(jq -c '.[]' <<<"$kept")
    nothing_wrong "$1"
}
browser_up alice
browser_up bob
browser_up carol
enrol alice engineer "$alice" sound
enrol bob steward "$bob"
enrol carol steward "$carol" true spare
"$mpcsign" policy enrolments -o json >"$tmp/enrolments"
same "$(jq '[.enrolments[] | select(.kind == "webauthn")] | length' \
    "$tmp/enrolments")" 4 "enrolled passkeys"
must "$mpcsign" policy draft --enrolments --out "$tmp/next.json"
words_of() {
    jq -r --arg p "$1" '.enrolments[] | select(.person == $p).words' \
        "$tmp/enrolments"
}
for who in alice bob carol; do
    while read -r words; do
        grep -q "adds $who, .*, webauthn: $words" "$tmp/out" ||
            fail "the draft does not say $who's words"
    done < <(words_of $who)
done
version=$("$mpcsign" policy propose "$tmp/next.json" --reason passkeys \
    2>"$tmp/err")
for who in bob carol; do
    must "$mpcsign" policy approve "$version" --as $who --file "$tmp/next.json"
    grep -q "new key  alice, webauthn: $(words_of alice)" "$tmp/out" ||
        fail "$who is not shown the words of a new key"
done
same "$("$mpcsign" policy enrolments -o json |
    jq '[.enrolments[].in_policy] | all')" true "all are in the policy"

# ---- three approvals ---------------------------------------------------------------

head -c 300000 /dev/urandom >"$tmp/app.tar.gz"
session=$("$mpcsign" request "$tmp/app.tar.gz" --profile guarded \
    --slots raw,cms --reason "Release 2.4.1: fixes the parser" 2>/dev/null)
sign_raw() {
    MPC_SESSION=$session openssl pkeyutl -sign -provider mpc \
        -provider default -inkey mpc:guarded -rawin -in "$tmp/app.tar.gz" \
        -out "$tmp/app.sig"
}
refuse 'approv' sign_raw

# ready BROWSER: the page knows the session and who may decide
ready() {
    goto "$1" "$MPC_APPROVE_URL/s/$session"
    until_js "$1" 20 'document.querySelectorAll("#who option").length > 1'
}

ready "$alice"
same "$(text_of "$alice" sha256 | tr -d ' \n')" \
    "$(sha256sum "$tmp/app.tar.gz" | cut -d' ' -f1)" digest
same "$(text_of "$alice" requester)" dev requester
same "$(text_of "$alice" reason)" "Release 2.4.1: fixes the parser" reason
same "$(text_of "$alice" code)" "${session:0:8}" code
"$mpcsign" status "$(text_of "$alice" code)" | grep -q "^session  *$session" ||
    fail "status does not take the page's code"
same "$(js "$alice" 'return document.getElementById("simulated").hidden')" \
    false "the mark of simulated hardware"
for size in "390 844" "1280 800"; do
    # shellcheck disable=SC2086
    window "$alice" $size light
    in_sight "$alice" title reason requester profile sha256 approve deny who
done
sound open "$alice"
same "$(js "$alice" 'return document.getElementById("approve").disabled')" \
    true "approve without a name"
# a violation would be seen: this one is made on purpose
js "$alice" 'document.body.setAttribute("style", "color: red")' >/dev/null
until_js "$alice" 10 'wrong.length === 1 && wrong[0].startsWith("CSP style-src")'
ready "$alice"
wd POST "/session/$alice/se/log" '{"type":"browser"}' >/dev/null

# pick BROWSER PERSON ROLE
pick() {
    js "$1" 'const who = document.getElementById("who");
        who.value = arguments[0];
        who.dispatchEvent(new Event("change"))' "$2/$3" >/dev/null
}
# decided BROWSER: the page says so, and nothing went wrong
decided() {
    until_js "$1" 30 'document.getElementById("says").textContent
        .startsWith("Recorded")'
}
# the engineer: a wrong file locks the button, the right one opens it
pick "$alice" alice engineer
echo other >"$tmp/other"
choose_file "$alice" file "$tmp/other"
until_js "$alice" 10 'document.getElementById("filesays").textContent
    .includes("another file")'
same "$(js "$alice" 'return document.getElementById("approve").disabled')" \
    true "approve with another file"
choose_file "$alice" file "$tmp/app.tar.gz"
until_js "$alice" 10 'document.getElementById("filesays").textContent
    .includes("is the file")'
sound matched "$alice"
js "$alice" 'document.getElementById("approve").click()' >/dev/null
decided "$alice"
sound approved-once "$alice"
refuse 'approv' sign_raw

# a steward, by keyboard alone: to the list, the name, the button
ready "$bob"
for ((i = 0; i < 20; i++)); do
    press "$bob" Tab
    [ "$(js "$bob" 'return document.activeElement.id')" != who ] || break
done
same "$(js "$bob" 'return document.activeElement.id')" who "reached by Tab"
press "$bob" b o b
same "$(js "$bob" 'return document.getElementById("who").value')" bob/steward \
    "chosen by keyboard"
press "$bob" Tab
same "$(js "$bob" 'return document.activeElement.id')" approve "next by Tab"
same "$(js "$bob" 'return getComputedStyle(document.activeElement)
    .outlineStyle')" solid "focus is seen"
shot "$bob" "$shots/focus.png"
press "$bob" Enter
decided "$bob"
nothing_wrong "$bob"

# the other steward completes it
ready "$carol"
pick "$carol" carol steward
js "$carol" 'document.getElementById("approve").click()' >/dev/null
decided "$carol"
until_js "$carol" 20 'document.getElementById("state").textContent === "approved"'
sound approved "$carol"

# ---- and openssl signs ----------------------------------------------------------

export MPC_SESSION=$session
must sign_raw
openssl pkey -provider mpc -provider default -in mpc:guarded -pubout \
    -out "$tmp/pub.pem"
verify "$tmp/pub.pem" "$tmp/app.tar.gz" "$tmp/app.sig"
"$mpcsign" key ref guarded --cms -o "$tmp/ref.pem" >/dev/null 2>&1 ||
    "$mpcsign" key ref guarded --cms >"$tmp/ref.pem"
must openssl cms -sign -binary -in "$tmp/app.tar.gz" -signer mpc:guarded \
    -inkey "$tmp/ref.pem" -outform DER -out "$tmp/app.p7s"
must openssl cms -verify -binary -content "$tmp/app.tar.gz" \
    -in "$tmp/app.p7s" -inform DER -CAfile "$MPC_DEV/ca.pem" \
    -purpose any -out /dev/null
unset MPC_SESSION
until_js "$carol" 20 'document.getElementById("state").textContent === "used"'
sound used "$carol"

# ---- the list, a denial, and what must not be shown ---------------------------------

denied=$("$mpcsign" request "$tmp/other" --profile guarded \
    --reason "not this" 2>/dev/null)
goto "$alice" "$MPC_APPROVE_URL/"
until_js "$alice" 20 "document.querySelector('a[href=\"/s/$denied\"]')"
sound list "$alice"
session=$denied
# an engineer approves, and thinks better of it
ready "$alice"
pick "$alice" alice engineer
js "$alice" 'document.getElementById("approve").click()' >/dev/null
decided "$alice"
until_js "$alice" 20 '!document.getElementById("revoke").hidden'
missing() { text_of "$alice" missing | grep -q 'engineer and 2 stewards'; }
! missing || fail "the engineer is missing still"
js "$alice" 'document.getElementById("revoke").click()' >/dev/null
wait_for 20 missing
nothing_wrong "$alice"
ready "$bob"
pick "$bob" bob steward
js "$bob" 'document.getElementById("deny").click()' >/dev/null
decided "$bob"
until_js "$bob" 20 'document.getElementById("state").textContent === "denied"'
sound denied "$bob"
goto "$bob" "$MPC_APPROVE_URL/s/$(printf %064d 0)"
until_js "$bob" 20 '!document.getElementById("problem").hidden'
# a server that shows a better reason than the one in the session of this id
cdp "$bob" Page.addScriptToEvaluateOnNewDocument '{"source":"
    const get = window.fetch;
    window.fetch = async (path, o) => {
        const r = await get(path, o);
        if (!path.match(/session.[0-9a-f]{64}$/)) return r;
        return new Response((await r.text()).replace(/not this/, \"that one\"));
    };"}' >/dev/null
goto "$bob" "$MPC_APPROVE_URL/s/$session"
until_js "$bob" 20 '!document.getElementById("problem").hidden'
text_of "$bob" problem | grep -q 'description of another session' ||
    fail "a page showed what is not in the session"
same "$(js "$bob" 'return document.getElementById("session").hidden')" true \
    "nothing of it is shown"
for b in "$alice" "$bob" "$carol"; do
    browser_down "$b"
done
