#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The release build knows nothing of simulated hardware: no tool, no symbol,
# no protocol string. Called by check after it built the preset.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build-release
[ -x $build/bin/mpc-sidecar ] || {
    echo "skipped here: $build is built by ./check release"
    [ -z "${MPC_RELEASE_REQUIRED:-}" ]
    exit
}
bad=0
[ ! -e $build/bin/mpc-snpsim ] || { echo "mpc-snpsim was built"; bad=1; }
for f in $build/bin/mpc-sidecar $build/bin/mpc-ca $build/bin/mpc-log \
    $build/bin/mpcsign; do
    nm "$f" 2>/dev/null | grep -iE '\b(attest_backend_sim|sim_open|sim_report|sim_derive|ask_simulator|snpsim|fido_soft)' && {
        echo "$f: simulator symbols"
        bad=1
    }
    readelf -d "$f" | grep 'tss2-tcti-swtpm' && {
        echo "$f: the way to a simulated TPM"
        bad=1
    }
    strings -a "$f" | grep -E 'MPCSIM1|mpcsign soft key' && {
        echo "$f: the simulator's protocol"
        bad=1
    }
    strings -a "$f" | grep -E 'MPC_FAILPOINT|follow_marked' && {
        echo "$f: places where tests end it"
        bad=1
    }
done
nm -D --defined-only $build/lib/ossl-modules/mpc.so | awk '{print $3}' |
    grep -v OSSL_provider_init && bad=1
# and the same test must be able to fail: the dev build has them
readelf -d build/bin/mpc-sidecar | grep -q 'tss2-tcti-swtpm' || bad=1
[ "$(nm build/bin/mpc-sidecar | grep -c sim_report)" -gt 0 ] || {
    echo "the dev build has no simulator: this test proves nothing"
    bad=1
}
strings -a build/bin/mpc-sidecar | grep -c follow_marked >/dev/null || {
    echo "the dev build has no failpoints: this test proves nothing"
    bad=1
}
[ "$(nm build/bin/mpcsign | grep -c fido_soft)" -gt 0 ] || {
    echo "the dev build has no software security key: this test proves nothing"
    bad=1
}
exit $bad
