#!/usr/bin/env bash
# Set up what is needed and run all tests; arguments go to pytest.
set -eu
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$ROOT"
exec "$PYTHON" -m pytest -q "$@"
