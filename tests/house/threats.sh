#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# docs/THREATS.md names a file and a test for each check, docs/FROST.md a test
# for each finding of others: all must exist.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0
n=0
while IFS='|' read -r _ attack _ files tests _; do
    for f in $files; do
        case $f in
        *\** | —) continue ;;
        esac
        [ -e "$f" ] || { echo "$attack: no file $f"; bad=1; }
    done
    for t in ${tests//,/ }; do
        case $t in
        attack:*) grep -qE "[ =]${t#attack:}( |\$)" tests/flow/56-attacks.sh || {
            echo "$attack: nobody plays ${t#attack:}"
            bad=1
        } ;;
        tests/flow/*) compgen -G "$t*" >/dev/null || { echo "no $t"; bad=1; } ;;
        */*) [ -e "$t" ] || { echo "no $t"; bad=1; } ;;
        …* | by | a | the) continue ;;
        *_*) grep -rqE "(void|\() ?$t\b" tests || {
            echo "$attack: no test $t"
            bad=1
        } ;;
        esac
        n=$((n + 1))
    done
done < <(grep -E '^\| ' docs/THREATS.md | grep -vE '^\| attack')
while IFS='|' read -r _ found _ tests _; do
    for t in $(grep -oE '`[a-z0-9]+(_[a-z0-9]+)+`' <<<"$tests" | tr -d '`'); do
        case $t in test_*) continue ;; esac
        grep -rqE "(void|\() ?$t\b" tests || {
            echo "FROST.md, $found: no test $t"
            bad=1
        }
        n=$((n + 1))
    done
done < <(sed -n '/^## Findings/,/^## Speed/p' docs/FROST.md | grep '^| ')
[ $n -gt 65 ] || { echo "only $n tests named"; bad=1; }
exit $bad
