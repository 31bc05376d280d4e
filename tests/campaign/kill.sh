#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# MPC_KILLS (500) crashes of real processes while a key moves, by 50 from each
# seed; each is shown again by its seed.
set -uo pipefail
cd "$(dirname "$0")/../.."
kills=${MPC_KILLS:-500}
bad=0
for ((seed = 1; seed <= (kills + 49) / 50; seed++)); do
    said=$(bash tests/flow/83-crash-in-epoch.sh 50 $seed 2>&1) || {
        bad=1
        tail -20 <<<"$said"
        echo "     again: tests/flow/83-crash-in-epoch.sh 50 $seed"
        continue
    }
    echo "ok   seed $seed: $(grep -c ': epoch ' <<<"$said") crashes"
done
exit $bad
