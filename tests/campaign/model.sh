#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All variants of the epoch protocol's model; the large ones as far as
# MPC_MODEL_MB and MPC_MODEL_S reach.
exec bash "$(dirname "$0")/../model/run.sh" campaign
