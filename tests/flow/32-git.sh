#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# git signs and verifies commits and tags with the key, as X.509. Flow 41.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
release=$(key_hash release)
n=$(signatures "$release")
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
git config --global user.name Dev
git config --global user.email dev@example.com
git config --global init.defaultBranch main
git config --global gpg.format x509
git config --global gpg.x509.program mpcsign-git-x509
git config --global user.signingkey mpc:release
git config --global mpc.ca "$MPC_DEV/ca.pem"
git config --global mpc.allowSimulated true

must git init -q repo
cd repo
for i in 1 2; do
    echo $i >file
    must git add file
    must git commit -q -S -m "change $i"
    must git verify-commit HEAD
    n=$((n + 1))
    same "$(signatures "$release")" "$n" "one signature a commit"
done
same "$(git log -1 --format='%G?')" G "git's own verdict"
must git tag -s -m 'a release' v1
must git verify-tag v1
n=$((n + 1))

# a commit that says something else under the same signature
git cat-file commit HEAD | sed 's/^change 2/change 3/' >../commit
forged=$(git hash-object -t commit -w ../commit)
refuse . git verify-commit "$forged"
same "$(git log -1 --format='%G?' "$forged")" B "git's verdict of a forgery"

# another root, and simulated hardware where nobody allowed it
must stock req -x509 -newkey ed25519 -nodes -keyout other.key \
    -out "$work/other.pem" -subj /CN=other -days 2
refuse . git -c mpc.ca="$work/other.pem" verify-commit HEAD
refuse . git -c mpc.allowSimulated=false verify-commit HEAD

# no signature, no commit
head=$(git rev-parse HEAD)
echo 3 >file
MPC_SIDECAR=$work/none.sock refuse 'gpg failed|sign' git commit -q -S -a \
    -m 'change 3'
same "$(git rev-parse HEAD)" "$head" "HEAD after a failed signature"
same "$(signatures "$release")" "$n" "verification and failures signed"

# rebase signs anew what it moves
must git checkout -q -f -b side HEAD~1
echo side >side
must git add side
must git commit -q -S -m side
must git rebase -q -S main
must git verify-commit HEAD
same "$(signatures "$release")" $((n + 2)) "one signature a commit"
