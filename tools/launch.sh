# Functions for the dist_*.sh and slurm_*.sh; source it.

TOOLS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"

# An active environment takes precedence over the one made by setup_env.sh.
PYTHON="$(command -v python || command -v python3 || echo python)"
[ -n "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ] || [ ! -x "$TOOLS/../.venv/bin/python" ] ||
    PYTHON="$TOOLS/../.venv/bin/python"

# launch PROCESSES TOOL CONFIG ARGUMENTS...: torchrun on this node.
launch() {
    local processes="$1" tool="$2" rendezvous
    shift 2
    [ -f "$1" ] || { echo "error: config $1 does not exist" >&2; exit 2; }
    # Processes share the cores of a machine without GPUs.
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(( ($(nproc) + processes - 1) / processes ))}"
    if [ "${NNODES:-1}" = 1 ] && [ -z "${PORT:-}" ]; then
        rendezvous=(--standalone)  # picks a free port
    else
        rendezvous=(--nnodes "${NNODES:-1}" --node_rank "${NODE_RANK:-0}"
            --master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "${PORT:-29500}")
    fi
    exec "$PYTHON" -m torch.distributed.run "${rendezvous[@]}" \
        --nproc_per_node "$processes" "$TOOLS/$tool" "$@" --launcher pytorch
}

# launch_slurm PARTITION JOB_NAME TOOL ARGUMENTS...: one srun task per GPU.
launch_slurm() {
    local partition="$1" job="$2" tool="$3"
    shift 3
    export MASTER_PORT="${MASTER_PORT:-$((12000 + RANDOM % 20000))}"
    # shellcheck disable=SC2086  # SRUN_ARGS holds several words
    exec srun -p "$partition" --job-name="$job" \
        --gres="gpu:${GPUS_PER_NODE:-8}" --ntasks="${GPUS:-8}" \
        --ntasks-per-node="${GPUS_PER_NODE:-8}" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} "$PYTHON" -u "$TOOLS/$tool" "$@" --launcher slurm
}
