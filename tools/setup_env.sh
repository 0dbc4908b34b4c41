# Make or reuse .venv beside the README, and set ROOT and PYTHON; source it.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
PYTHON="$ROOT/.venv/bin/python"

# Run it: a shim on the path may have no Python behind it.
_stf_python_fits() {
    "$1" -c 'import sys, venv; sys.exit(
        not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

_stf_find_python() {
    local candidate
    for candidate in python3 python3.12 python3.11 python3.10 python; do
        _stf_python_fits "$candidate" && echo "$candidate" && return 0
    done
    echo "error: no Python 3.10, 3.11 or 3.12 with venv was found: install one" >&2
    return 1
}

_stf_setup() {
    local stamp wanted base pins="$ROOT/requirements/constraints.txt"
    stamp="$ROOT/.venv/stf_ready"
    wanted="$(cat "$ROOT/setup.py" "$pins" "$ROOT/tools/setup_env.sh" | cksum) $ROOT"
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return 0
    echo "[setup 1/3] Python environment in $ROOT/.venv"
    if ! { _stf_python_fits "$PYTHON" && "$PYTHON" -m pip --version >/dev/null 2>&1; }; then
        base="$(_stf_find_python)" || return 1
        "$base" -m venv --clear "$ROOT/.venv" || return 1
    fi
    echo '[setup 2/3] PyTorch (a large download, once)'
    # First and alone, so that no other package chooses its version.
    "$PYTHON" -m pip install -q -c "$pins" torch || return 1
    echo '[setup 3/3] MMAction2 and this package'
    # Keep a full mmcv that is already installed.
    "$PYTHON" -c 'import mmcv' 2>/dev/null ||
        "$PYTHON" -m pip install -q -c "$pins" mmcv-lite || return 1
    "$PYTHON" -m pip install -q -c "$pins" -e "$ROOT[test]" || return 1
    echo "$wanted" > "$stamp"
}

_stf_setup || { echo 'error: the environment could not be set up' >&2; exit 1; }
