#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Other rooms come in by the door: <room>/<room>.h (base: any header;
# daemon and transparency have two). A wrong room does not compile; a wrong header would.
set -euo pipefail
cd "$(dirname "$0")/../.."
rooms='frost|wire|http|transparency|policy|custody|attest|daemon|vault|ca|sidecar|provider|cli'
bad=0
while IFS=: read -r file line text; do
    room=${file%%/*}
    header=$(sed -E 's/.*"([^"]+)".*/\1/' <<<"$text")
    other=${header%%/*}
    [ "$room" = "$other" ] && continue
    case $header in
    "$other/$other.h" | daemon/chain.h | transparency/watch.h) ;;
    *)
        echo "$file:$line includes $header past the door"
        bad=1
        ;;
    esac
done < <(git ls-files '*.c' '*.h' | grep -vE '^tests/' |
    xargs grep -nE "^#include \"($rooms)/")
# frost has no I/O, clock, log or heap; the provider no curl, TLS or threads
check() { # room pattern why
    if grep -nE "$2" "$1"/*.c; then
        echo "$1: $3"
        bad=1
    fi
}
check frost '\b(malloc|calloc|fopen|open|printf|time|clock_now_s|rand_bytes)\(' \
    'no heap, I/O, clock or randomness in frost'
check provider '(curl|microhttpd|gnutls|pthread_create|fprintf|[^A-Z]SSL_[a-z])' \
    'the provider lives in other processes'
for f in node convert session lead gather round follow head gossip abort epoch drive govern ask once once_judge once_keep once_open once_make once_deal once_birth once_call sigstore; do
    grep -nE '(curl|microhttpd|http/http|[^_]time\()' sidecar/$f.c && {
        echo "sidecar/$f.c decides: it may not do"
        bad=1
    }
done
exit $bad
