#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every node replaced, 2-of-3 to 3-of-5 and back, refreshed 50 times
# (MPC_REFRESHES), under a signing load on real processes.
export MPC_REFRESHES=${MPC_REFRESHES:-50}
exec bash "$(dirname "$0")/../flow/88-replace-everything.sh"
