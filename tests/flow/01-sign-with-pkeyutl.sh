#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The commands of DESIGN section 1: sign with the provider, verify with stock
# OpenSSL, files of every size, exactly one threshold signature a command.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"

pubkey "$tmp/pub.pem"
before=$(count_intents)
same "$before" "$(count_intents)" "a public key costs no signature"

printf x >"$tmp/1"
head -c 100000 /dev/urandom >"$tmp/100k"
head -c 16777216 /dev/urandom >"$tmp/16M"
head -c 16777217 /dev/urandom >"$tmp/over"
: >"$tmp/0"

n=$before
for f in 1 100k 16M; do
    must psign "$tmp/$f" "$tmp/$f.sig"
    must verify "$tmp/pub.pem" "$tmp/$f" "$tmp/$f.sig"
    n=$((n + 1))
    same "$(count_intents)" "$n" "one signature for $f"
done

# -provider mpc alone, and the other order
must openssl pkeyutl -sign -provider mpc -inkey mpc:release -rawin \
    -in "$tmp/1" -out "$tmp/alone.sig"
must verify "$tmp/pub.pem" "$tmp/1" "$tmp/alone.sig"
must openssl pkeyutl -sign -provider default -provider mpc \
    -inkey mpc:release -rawin -in "$tmp/1" -out "$tmp/order.sig"
must verify "$tmp/pub.pem" "$tmp/1" "$tmp/order.sig"
must openssl pkey -provider mpc -in mpc:release -pubout -out "$tmp/pub2.pem"
cmp -s "$tmp/pub.pem" "$tmp/pub2.pem" || fail "public keys differ"

# a changed file does not verify
printf y >"$tmp/other"
refuse '' verify "$tmp/pub.pem" "$tmp/other" "$tmp/1.sig"

# one byte more than the limit: one clear error that names both sizes
refuse '16777217.*16777216' psign "$tmp/over" "$tmp/over.sig"
same "$(grep -c '^[0-9A-F]*:error:' "$tmp/out")" 1 "error lines"

# pkeyutl refuses an empty file by itself, for any key; mpcsign does not
must "$mpcsign" sign "$tmp/0" -s "$tmp/0.sig"
must "$mpcsign" sign "$tmp/100k" -s "$tmp/cli.sig"
must verify "$tmp/pub.pem" "$tmp/100k" "$tmp/cli.sig"

# an unknown key, and nobody at the socket: one readable line each
refuse 'no such profile' openssl pkeyutl -sign -provider mpc \
    -provider default -inkey mpc:nosuch -rawin -in "$tmp/1" -out "$tmp/x"
MPC_SIDECAR=$tmp/none.sock refuse 'none.sock' psign "$tmp/1" "$tmp/x"
