#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# docs/THREATS.md names a file and a test for each check: both must exist.
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
[ $n -gt 50 ] || { echo "only $n tests named"; bad=1; }
exit $bad
