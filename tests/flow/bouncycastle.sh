#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CMS signatures by openssl and by mpcsign, verified by BouncyCastle. Flow 27.
# Outside ./check, which would need a JDK for it:
#     apt-get install default-jdk-headless libbcpkix-java
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
head -c 50000 /dev/urandom >f
head -c 50000 /dev/urandom >other
must openssl cms -sign -binary -in f -signer mpc:release \
    -inkey "$MPC_DEV/release.pem" -outform DER -out openssl.p7s
must "$mpcsign" cms sign f --cms mpcsign.p7s
bc() {
    java -cp /usr/share/java/bcpkix.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar \
        "$here/tests/flow/VerifyCms.java" "$@"
}
for p7s in openssl.p7s mpcsign.p7s; do
    must bc $p7s f "$MPC_DEV/ca.pem"
    if bc $p7s other "$MPC_DEV/ca.pem" >"$tmp/out" 2>&1; then
        fail "$p7s: verifies for another content"
    else
        same $? 1 "verdict of another content"
    fi
    echo "BouncyCastle: $p7s verifies"
done
