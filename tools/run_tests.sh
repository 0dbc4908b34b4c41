#!/usr/bin/env bash
# Set up what is needed, check style and types, and run all tests on up to four
# cores; arguments go to pytest.
set -eu
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$ROOT"
"$PYTHON" -m ruff check -q .
"$PYTHON" -m ruff format -q --check .
"$PYTHON" -m mypy --no-error-summary
# A test and what it starts run on one thread; each file stays in one process, in the order
# of tests/conftest.py.
export OMP_NUM_THREADS=1
exec "$PYTHON" -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder "$@"
