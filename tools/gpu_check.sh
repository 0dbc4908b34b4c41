#!/usr/bin/env bash
# gpu_check.sh [FOLDER]: run the checks that need a GPU; results go to FOLDER (default: gpu_check).
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/launch.sh
out="${1:-gpu_check}"
mkdir -p "$out"
"$PYTHON" -c 'import torch; assert torch.cuda.is_available(), "error: PyTorch sees no GPU here"'
nvidia-smi > "$out/gpu.txt"
# Values and gradients of the operators on the GPU against the references.
"$PYTHON" -m pytest -q tests/models/test_on_gpu.py tests/losses tests/focus | tee "$out/tests.txt"
# Times beside the published formulation, with the batch of one of four GPUs.
networks="configs/msg3d_ntu60_xsub_j.py configs/stf_msg3d_ntu60_xsub_j_focus.py
    configs/stf_msg3d_ntu60_xsub_j_explore.py configs/stf_msg3d_ntu60_xsub_j.py"
for precision in highest high; do
    # shellcheck disable=SC2086  # several configs
    "$PYTHON" tools/benchmark.py $networks --device cuda --batch 8 --frames 300 --rounds 9 \
        --matmul-precision "$precision" --variants cp bf16 | tee "$out/times_$precision.txt"
done
# The times that the counter predicts for the same networks.
# shellcheck disable=SC2086
"$PYTHON" tools/benchmark.py $networks --count --batch 8 --frames 300 --json "$out/counts.json" |
    tee "$out/counts.txt"
