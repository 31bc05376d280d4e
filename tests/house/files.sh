#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX line in each source, no machine's paths, no file over 600 lines.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0
for f in $(git ls-files '*.c' '*.h' '*.sh' check demo campaign .ci/run); do
    head -3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || {
        echo "$f: no SPDX line"
        bad=1
    }
done
git ls-files '*.c' '*.h' '*.sh' '*.md' '*.txt' '*.cnf' check demo campaign |
    xargs grep -nE '(^|[^a-z.])/(work|root|home)/' && {
    echo "a path of one machine"
    bad=1
}
while read -r n f; do
    [ "$f" = total ] || [ "$n" -le 600 ] || {
        echo "$f: $n lines, two stories in one?"
        bad=1
    }
done < <(git ls-files '*.c' '*.h' | grep -v '^tests/' | xargs wc -l)
exit $bad
