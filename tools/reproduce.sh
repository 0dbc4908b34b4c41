#!/usr/bin/env bash
# Reproduce one row of the paper's tables: bash tools/reproduce.sh ntu60_xsub 4
# trains and tests what is missing on 4 GPUs (0: on the CPU), and prints the row.
set -eu
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
exec "$PYTHON" "$TOOLS/reproduce.py" "$@"
