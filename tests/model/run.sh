#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks the epoch protocol's model (epoch.pml) with spin: what is shipped has
# no violation, each tempting shortcut is found to lose or block the key, and
# the shortest way there is printed.
#   run.sh            the small ones, all of their states: seconds
#   run.sh campaign   all; the large ones as far as MPC_MODEL_MB of memory
#                     (4000) and MPC_MODEL_S seconds each (900) reach
#   run.sh NAME...    these
set -euo pipefail
cd "$(dirname "$0")"
model=$PWD/epoch.pml
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

for tool in spin gcc; do
    command -v $tool >/dev/null || {
        echo "$tool is missing: apt-get install $tool"
        exit 1
    }
done

same3="-DNODES=3 -DM0=7 -DM1=7 -DT0=2 -DT1=2"
five="-DNODES=5 -DM0=3 -DM1=28 -DT0=2 -DT1=2"
ones="-DNODES=4 -DM0=3 -DM1=12 -DT0=1 -DT1=1"
sound="-DVOTES=0 -DERASE=0 -DEARLY=0"
# name | in the small run | want | parameters | what it is
variants="
A|small|holds|$same3 $sound|refresh of 2-of-3 as it is shipped
B|small|breaks|$same3 -DVOTES=0 -DERASE=1 -DEARLY=0|old share erased when the own new one is stored
C|small|breaks|$same3 -DVOTES=2 -DERASE=2 -DEARLY=0|a certificate at t votes, erased on it
C2|small|breaks|$same3 -DVOTES=2 -DERASE=0 -DEARLY=0|a certificate at t votes, erased on all ACKs
D|small|holds|$same3 -DVOTES=0 -DERASE=2 -DEARLY=0|same members, erased on the certificate
E|small|breaks|$five -DVOTES=0 -DERASE=2 -DEARLY=0|2 move to 3 others, erased on the certificate
E2|small|breaks|$ones -DVOTES=0 -DERASE=2 -DEARLY=0|1-of-2 move to 2 others, erased on the certificate
F2|small|holds|$ones $sound|1-of-2 move to 2 others as it is shipped
V|small|breaks|$same3 -DVOTES=0 -DERASE=0 -DEARLY=1|the vote leaves before the share is on disk
G|large|holds|-DNODES=3 -DEPOCHS=3 -DM0=3 -DM1=3 -DM2=3 -DT0=1 -DT1=1 -DT2=1 $sound|three epochs of 1-of-2
I|large|holds|-DNODES=4 -DEPOCHS=3 -DM0=3 -DM1=6 -DM2=12 -DT0=1 -DT1=1 -DT2=1 $sound|rolling through four nodes as it is shipped
H|large|holds|$same3 -DEPOCHS=3 -DM2=7 -DT2=2 $sound|three epochs of 2-of-3 as it is shipped
F|large|holds|$five $sound|2-of-2 move to 2-of-3 others as it is shipped
"

check() { # name want parameters what
    local name=$1 want=$2 parameters=$3 what=$4 got whole=yes out errors
    case $parameters in
    *EPOCHS*) ;;
    *) parameters+=" -DEPOCHS=2" ;;
    esac
    mkdir "$tmp/$name"
    (
        cd "$tmp/$name"
        # shellcheck disable=SC2086 # words
        spin -a $parameters "$model" >spin.out 2>&1 || {
            cat spin.out
            exit 1
        }
        gcc -O2 -w -DSAFETY -DBFS -DMEMLIM="${MPC_MODEL_MB:-4000}" \
            -o pan pan.c
        timeout "${MPC_MODEL_S:-900}" ./pan -m1000000 >pan.out 2>&1 || true
    ) || return 1
    out=$tmp/$name/pan.out
    errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$out")
    grep -qE 'Search not completed|max search depth' "$out" && whole=no
    if [ -z "$errors" ]; then # ended by the clock
        whole=no
        errors=0
    fi
    got=holds
    [ "$errors" = 0 ] || got=breaks
    local states
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$out" | tail -1)
    local extent=""
    if [ $got = holds ] && [ $whole = yes ]; then
        extent=", exhaustive"
    elif [ $got = holds ]; then
        extent=", not all of them"
    fi
    printf '%-2s %-6s %s (%s states%s)\n' "$name" "$got" "$what" \
        "${states:-?}" "$extent"
    if [ $got = breaks ]; then
        # shellcheck disable=SC2086
        (cd "$tmp/$name" && spin -t -k ./*.trail $parameters "$model") |
            sed -n 's/^ *\(\(node\|epoch\) [0-9].*\)/     \1/p'
        echo "     the key is lost or blocked"
    fi
    if [ $got != "$want" ]; then
        echo "FAIL $name: wanted that it $want"
        return 1
    fi
    # what is small is searched whole: anything less is a failure
    if [ $got = holds ] && [ $whole = no ] && [ "$5" = small ]; then
        grep -v Depth= "$out"
        echo "FAIL $name: not all states were seen"
        return 1
    fi
}

bad=0
ran=0
while IFS='|' read -r name size want parameters what; do
    [ -n "$name" ] || continue
    case "${1:-small}" in
    small) [ "$size" = small ] || continue ;;
    campaign) ;;
    *) [[ " $* " = *" $name "* ]] || continue ;;
    esac
    ran=$((ran + 1))
    check "$name" "$want" "$parameters" "$what" "$size" || bad=1
done <<<"$variants"
if [ $ran = 0 ]; then
    echo "no such variant: $*" >&2
    exit 2
fi
exit $bad
