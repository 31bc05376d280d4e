# SPDX-License-Identifier: Apache-2.0
# A headless Chromium by W3C WebDriver: curl and jq are the client. Sourced
# behind lib.sh. A browser is named by its WebDriver session.

# driver_up: chromedriver on a port of its own choice
driver_up() {
    command -v chromedriver >/dev/null || fail "chromedriver is not installed"
    chromedriver --port=0 >"$tmp/driver.log" 2>&1 &
    servers[$!]=chromedriver
    wait_for 90 grep -q 'successfully on port' "$tmp/driver.log"
    driver=http://127.0.0.1:$(sed -n 's/.*successfully on port \([0-9]*\).*/\1/p' \
        "$tmp/driver.log" | head -n 1)
}

# wd METHOD PATH [JSON]: the reply's value
wd() {
    local reply
    reply=$(curl -s --max-time 60 -X "$1" -H 'Content-Type: application/json' \
        ${3+--data-binary "$3"} "$driver$2") || fail "WebDriver: $1 $2"
    jq -e '.value | objects | has("error")' <<<"$reply" >/dev/null &&
        fail "WebDriver: $1 $2: $(jq -r .value.message <<<"$reply" | head -n 3)"
    jq -c .value <<<"$reply"
}

# browser_up VAR: what goes wrong in its pages is kept from the start
browser_up() {
    local id
    id=$(wd POST /session '{"capabilities":{"alwaysMatch":{
        "goog:loggingPrefs":{"browser":"ALL"},
        "goog:chromeOptions":{"args":["--headless=new","--no-sandbox",
            "--disable-gpu","--disable-dev-shm-usage",
            "--hide-scrollbars"]}}}}' | jq -r .sessionId)
    cdp "$id" Page.addScriptToEvaluateOnNewDocument '{"source":"
        window.wrong = [];
        document.addEventListener(\"securitypolicyviolation\", (e) =>
            wrong.push(`CSP ${e.violatedDirective} ${e.blockedURI}`));
        window.addEventListener(\"error\", (e) => wrong.push(e.message));
        window.addEventListener(\"unhandledrejection\", (e) =>
            wrong.push(`rejected: ${e.reason}`));"}' >/dev/null
    printf -v "$1" %s "$id"
}
browser_down() { wd DELETE "/session/$1" >/dev/null; }

# cdp BROWSER COMMAND PARAMS
cdp() {
    wd POST "/session/$1/goog/cdp/execute" \
        "$(tr '\n' ' ' <<<"$3" | jq -c --arg c "$2" '{cmd:$c, params:.}')"
}
# js BROWSER BODY [ARGUMENT ...]: its value, text unquoted
js() {
    local browser=$1 body=$2
    shift 2
    wd POST "/session/$browser/execute/sync" "$(jq -nc --arg s "$body" \
        '{script:$s, args:$ARGS.positional}' --args "$@")" |
        jq -r 'if . == null then "" else . end'
}
goto() { wd POST "/session/$1/url" "$(jq -nc --arg u "$2" '{url:$u}')" >/dev/null; }
# until_js BROWSER SECONDS CONDITION
until_js() {
    local until=$((SECONDS + $2))
    until [ "$(js "$1" "return Boolean($3)")" = true ]; do
        [ $SECONDS -lt $until ] || {
            js "$1" 'return document.body.innerText' >&2
            fail "the page never came to: $3"
        }
        sleep 0.1
    done
}
# press BROWSER KEY ...: names of WebDriver's table, or text
press() {
    local browser=$1 k actions=()
    shift
    for k; do
        case $k in
            Tab) k='\uE004' ;; Enter) k='\uE007' ;; Space) k=' ' ;;
            Down) k='\uE015' ;;
        esac
        actions+=("{\"type\":\"keyDown\",\"value\":\"$k\"}"
            "{\"type\":\"keyUp\",\"value\":\"$k\"}")
    done
    wd POST "/session/$browser/actions" "{\"actions\":[{\"type\":\"key\",
        \"id\":\"keys\",\"actions\":[$(
        IFS=,
        echo "${actions[*]}"
    )]}]}" >/dev/null
}
# window BROWSER WIDTH HEIGHT light|dark
window() {
    cdp "$1" Emulation.setDeviceMetricsOverride "{\"width\":$2,\"height\":$3,
        \"deviceScaleFactor\":1,\"mobile\":false}" >/dev/null
    cdp "$1" Emulation.setEmulatedMedia "{\"features\":[
        {\"name\":\"prefers-color-scheme\",\"value\":\"$4\"},
        {\"name\":\"prefers-reduced-motion\",\"value\":\"reduce\"}]}" >/dev/null
}
shot() { wd GET "/session/$1/screenshot" | jq -r . | base64 -d >"$2"; }
# authenticator BROWSER: a virtual security key that knows its user
authenticator() {
    wd POST "/session/$1/webauthn/authenticator" '{"protocol":"ctap2",
        "transport":"usb","hasResidentKey":true,"hasUserVerification":true,
        "isUserVerified":true,"isUserConsenting":true}' | jq -r .
}
# choose_file BROWSER ID FILE: as by its dialog
choose_file() {
    local element
    element=$(wd POST "/session/$1/element" "{\"using\":\"css selector\",
        \"value\":\"#$2\"}" | jq -r '.[]')
    wd POST "/session/$1/element/$element/value" \
        "$(jq -nc --arg f "$3" '{text:$f}')" >/dev/null
}
# nothing_wrong BROWSER: no error, no warning, nothing the CSP stopped
nothing_wrong() {
    local said
    said=$(js "$1" 'return wrong.join("\n")')
    [ -z "$said" ] || fail "in the page: $said"
    said=$(wd POST "/session/$1/se/log" '{"type":"browser"}' |
        jq -r '.[] | select(.level != "INFO" and .level != "DEBUG") | .message')
    [ -z "$said" ] || fail "on the console: $said"
}
