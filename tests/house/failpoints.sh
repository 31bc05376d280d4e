#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every name of base/failpoint.h's table is a place in the code, or a test
# that arms it would wait for nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0
names=$(sed -n 's/^ *ROW(\([a-z0-9_]*\)).*/\1/p' base/failpoint.h)
[ "$(wc -w <<<"$names")" -ge 10 ] || { echo "no names found"; bad=1; }
for n in $names; do
    git grep -qF "FAILPOINT($n)" -- '*.c' || {
        echo "failpoint $n: nowhere in the code"
        bad=1
    }
done
exit $bad
