#!/usr/bin/env bash
# dist_test.sh CONFIG CHECKPOINT PROCESSES [arguments of test.py]
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT.
set -eu
[ $# -ge 3 ] || { echo "usage: $0 CONFIG CHECKPOINT PROCESSES [arguments of test.py]" >&2; exit 2; }
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
launch "$3" test.py "$1" "$2" "${@:4}"
