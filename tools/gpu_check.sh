#!/usr/bin/env bash
# gpu_check.sh [FOLDER]: run the checks that need a GPU, in about seven minutes; results go to
# FOLDER (default: gpu_check). A check that fails or takes too long does not end the others.
set -u -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
source tools/launch.sh
out="${1:-gpu_check}"
mkdir -p "$out"
"$PYTHON" -c 'import torch; assert torch.cuda.is_available(), "error: PyTorch sees no GPU here"' ||
    exit 1
nvidia-smi > "$out/gpu.txt"
failed=0

# check SECONDS NAME COMMAND...: run with a limit of time; the output goes to NAME.txt.
check() {
    local limit="$1" name="$2" begin=$SECONDS result=passed
    shift 2
    timeout -k 5 "$limit" "$@" > "$out/$name.txt" 2>&1 || { result="failed ($?)"; failed=1; }
    echo "$name: $result after $((SECONDS - begin)) s" | tee -a "$out/summary.txt"
    grep -E '^\||rror|FAILED|passed|loss: |acc/top1' "$out/$name.txt" | tail -n 12
}

# Values and gradients on the GPU against those on a CPU, and against the references.
STF_TEST_GPU=1 OMP_NUM_THREADS=1 check 150 tests "$PYTHON" -m pytest -q -n 8 \
    tests/models/test_on_gpu.py tests/models/test_operators.py tests/losses tests/focus

# Times beside the published formulation, with the batch of one of four GPUs, and with 32 clips.
base=configs/msg3d_ntu60_xsub_j.py
stf="configs/stf_msg3d_ntu60_xsub_j_focus.py configs/stf_msg3d_ntu60_xsub_j_explore.py
    configs/stf_msg3d_ntu60_xsub_j.py"
time_them="tools/benchmark.py --device cuda --frames 300 --rounds 5"
# shellcheck disable=SC2086  # several words
{
    check 180 times_tf32 "$PYTHON" $time_them $base $stf --batch 8 --variants cp bf16 launched \
        --profile "$out/kernels.txt"
    check 80 times_float32 "$PYTHON" $time_them $base --batch 8 --matmul-precision highest
    check 90 times_of_32_clips "$PYTHON" $time_them $base --batch 32 --variants bf16
}

# Training on the bundled clips: as it is, in half precision under DDP, and twice with equal bits.
demo=configs/stf_msg3d_demo_j.py
short="--seed 0 --cfg-options train_cfg.max_epochs=26"
# shellcheck disable=SC2086
{
    check 90 train "$PYTHON" tools/train.py $demo --work-dir "$out/train" $short
    check 90 train_amp bash tools/dist_train.sh $demo 1 --amp --work-dir "$out/amp" $short
    for run in 1 2; do
        check 90 "train_deterministic_$run" "$PYTHON" tools/train.py $demo --deterministic \
            --work-dir "$out/deterministic_$run" $short
    done
}
check 20 equal_bits "$PYTHON" -c "
import torch
a, b = (torch.load('$out/deterministic_%d/epoch_26.pth' % i, weights_only=False)['state_dict']
        for i in (1, 2))
assert all(torch.equal(a[k], b[k]) for k in a), 'error: two deterministic runs differ'"
exit $failed
