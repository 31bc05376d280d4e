#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Python, Ruby and node as the distribution ships them, with the system's
# OpenSSL: signatures, TLS as server and as client. Flows 37 to 39.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
# the configuration names the module; the variable would hide the system's
# others, and Python's cryptography wants legacy.so
unset OPENSSL_MODULES
. "$here/tests/flow/debian_node.sh"
cd "$work"
web=$(key_hash web)
release=$(key_hash release)
self_signed web web.crt
must "$mpcsign" key ref release -O release.ref
must "$mpcsign" key ref web -O web.ref
w=$(signatures "$web")
r=$(signatures "$release")
counted() { # who, signatures by web and by release
    w=$((w + $2))
    r=$((r + $3))
    same "$(signatures "$web")" $w "$1: signatures by mpc:web"
    same "$(signatures "$release")" $r "$1: signatures by mpc:release"
}

# 37: Debian's, not one from elsewhere that brings an OpenSSL of its own
must /usr/bin/python3 "$here/tests/flow/languages.py" web.crt web.ref
counted Python 6 0
# 38
must ruby "$here/tests/flow/languages.rb" release.ref web.crt web.ref
counted Ruby 1 1
# 39
must node_ --openssl-shared-config "$here/tests/flow/languages.js" \
    release.ref web.crt web.ref
counted node 1 1
# without the option node reads a configuration of its own: no key
refuse . node_ "$here/tests/flow/languages.js" release.ref web.crt web.ref
counted "node without our configuration" 0 0
