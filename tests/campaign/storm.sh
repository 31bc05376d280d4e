#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A minute of restarts of every node.
exec bash "$(dirname "$0")/../flow/85-restart-storm.sh" "${MPC_STORM_S:-60}"
