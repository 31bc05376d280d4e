#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# guarded answers not_approved; keys are made only by the steward rule.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
echo hello >"$tmp/f"
refuse 'not_approved|approval' openssl pkeyutl -sign -provider mpc \
    -provider default -inkey mpc:guarded -rawin -in "$tmp/f" -out "$tmp/x"
if "$mpcsign" sign "$tmp/f" --profile guarded -s "$tmp/x" --no-wait \
    >"$tmp/out" 2>&1; then
    fail "guarded signed without approval"
else
    same $? 3 "exit code for not_approved"
fi
# one steward, an engineer, and the same steward twice are not two stewards
refuse 'steward' "$mpcsign" key create web --as dev --approve bob
refuse 'steward' "$mpcsign" key create web --as dev --approve bob \
    --approve bob
refuse 'steward' "$mpcsign" key create web --as dev --approve bob \
    --approve alice
"$mpcsign" key show guarded -o json >"$tmp/key.json"
same "$(jq -r .threshold "$tmp/key.json")" 2 threshold
refuse 'exists' "$mpcsign" key create guarded --as dev --approve bob \
    --approve carol
