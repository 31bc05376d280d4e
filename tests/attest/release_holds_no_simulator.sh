#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A build without MPC_SIMULATED_TEE: no program, no symbol, no word of it.
#   release_holds_no_simulator.sh BUILD_DIR
set -eu
lib=$1/attest/libmpc_attest.a
test -s "$lib"
test ! -e "$1/bin/mpc-snpsim"
if strings -a "$lib" | grep -E 'NOT AMD HARDWARE|mpcsign simulator|MPCSIM1'; then
    echo "$lib speaks of the simulator"
    exit 1
fi
if nm "$lib" 2>/dev/null | grep -E ' [Tt] .*(snpsim|sim_)'; then
    echo "$lib has symbols of the simulator"
    exit 1
fi
