#!/usr/bin/env bash
# dist_train.sh CONFIG PROCESSES [arguments of train.py]
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 CONFIG PROCESSES [arguments of train.py]" >&2; exit 2; }
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
launch "$2" train.py "$1" "${@:3}"
