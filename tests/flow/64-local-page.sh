#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The page on one's own machine: mpcsign serves it, a browser registers a
# passkey and approves on it, and it ends with its answer.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/browser.sh"
up "$tmp/dev"
driver_up
browser_up alice
authenticator "$alice" >/dev/null
export BROWSER=true # it is told, and opens nothing

# local_page COMMAND ...: in the background; its address in $url
local_page() {
    : >"$tmp/said"
    "$@" >"$tmp/local.out" 2>"$tmp/said" &
    page=$!
    servers[$page]=local
    wait_for 20 grep -q 'http://localhost' "$tmp/said"
    url=$(grep -o 'http://localhost[^ ]*' "$tmp/said" | head -n 1)
}
ended() { # with success
    local status=0
    wait "$page" || status=$?
    unset "servers[$page]"
    cat "$tmp/said"
    same $status 0 "exit code of the local page"
}

code=$("$mpcsign" policy invite alice --role engineer -o json | jq -r .code)
refuse 'want one of' "$mpcsign" policy enrol --invite "$code"
local_page "$mpcsign" policy enrol --invite "$code" --browser
goto "$alice" "$url"
until_js "$alice" 20 '!document.getElementById("invite").hidden'
press "$alice" Enter
until_js "$alice" 20 '!document.getElementById("done").hidden'
nothing_wrong "$alice"
ended
grep -q 'spare key.*--browser' "$tmp/said" || fail "no spare was offered"
same "$(wc -w <"$tmp/local.out")" 6 "words to read out"
refuse 'used already' "$mpcsign" policy enrol --invite "$code" --browser

# by then it is in the policy, which wants approvals from one's own machine
"$mpcsign" policy draft --enrolment alice >"$tmp/draft.json"
jq '.profiles |= map(if .name == "guarded"
        then .sidecar_page = false else . end)' "$tmp/draft.json" \
    >"$tmp/next.json"
version=$("$mpcsign" policy propose "$tmp/next.json" --reason passkeys \
    2>"$tmp/err")
for who in bob carol; do
    must "$mpcsign" policy approve "$version" --as $who --file "$tmp/next.json"
done

echo hello >"$tmp/f"
id=$("$mpcsign" request "$tmp/f" --profile guarded --reason "by hand" \
    2>/dev/null)
# the sidecar's page says that it does not count, and offers no approval
goto "$alice" "$MPC_APPROVE_URL/s/$id"
until_js "$alice" 20 'document.querySelectorAll("#who option").length > 1'
js "$alice" 'const who = document.getElementById("who");
    who.value = "alice/engineer";
    who.dispatchEvent(new Event("change"))' >/dev/null
same "$(js "$alice" 'return document.getElementById("approve").disabled')" \
    true "approve on a page that does not count"
js "$alice" 'return document.getElementById("whosays").innerText' |
    grep -q 'does not count' || fail "the page does not say why"
same "$(js "$alice" 'return document.getElementById("deny").disabled')" \
    false "a denial counts from anywhere"

# one's own does; what the page asks is not asked on the command line
refuse 'the page asks who' "$mpcsign" approve "$id" --browser --as alice
echo other >"$tmp/g"
refuse 'is not what the session asks for' "$mpcsign" approve "$id" --browser \
    --file "$tmp/g"
refuse 'of approve' "$mpcsign" deny "$id" --browser
local_page "$mpcsign" approve "$id" --browser --file "$tmp/f"
goto "$alice" "$url"
until_js "$alice" 20 'document.querySelectorAll("#who option").length > 1'
js "$alice" 'const who = document.getElementById("who");
    who.value = "alice/engineer";
    who.dispatchEvent(new Event("change"));
    document.getElementById("approve").click()' >/dev/null
until_js "$alice" 30 'document.getElementById("says").textContent
    .startsWith("Recorded")'
ended
until_js "$alice" 20 'document.getElementById("missing").textContent
    .includes("done its work")'
have=$("$mpcsign" status "$id" -o json | jq .have.engineer)
same "$have" 1 "engineers counted"
# nobody but this machine's browser, by this machine's name
local_page "$mpcsign" approve "$id" --browser
same "$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: evil.test' \
    "${url%%/s/*}/")" 403 "a foreign name"
stop "$page"
browser_down "$alice"
