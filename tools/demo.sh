#!/usr/bin/env bash
# Train STF on the bundled skeletons, test it, and draw where it looks.
set -eu -o pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$ROOT"
config=configs/stf_msg3d_demo_j.py
out=work_dirs/stf_msg3d_demo_j
warmup=$(sed -n 's/.*warmup_epochs=\([0-9]*\).*/\1/p' configs/_base_/schedules/stf_demo.py)
# The network is so small that threads would wait for each other.
export OMP_NUM_THREADS=1
mkdir -p "$out"
rm -f "$out"/*.pth "$out"/*.png "$out"/*.html

# logged LOG TOOL ARGUMENTS...: run a tool, write its output to a log, show the end if it fails.
logged() {
    local log="$1"
    shift
    "$PYTHON" "$@" > "$log" 2>&1 || { tail -n 5 "$log" >&2; return 1; }
}

echo "[demo 1/3] training on 98 clips takes a few minutes; the log is $out/train.log"
"$PYTHON" tools/train.py "$config" --work-dir "$out" --seed 0 2>&1 |
    tee "$out/train.log" | awk '
        /Epoch\(train\)/ && match($0, /\[[0-9]+\]/) {
            epoch = substr($0, RSTART + 1, RLENGTH - 2)
            match($0, /eta: [0-9:]+/)
            if (epoch != last && epoch % 5 == 0)
                print "    epoch " epoch ", " substr($0, RSTART, RLENGTH)
            last = epoch; fflush()
        }
        /warm-up is over/ { print "    the STF objectives begin"; fflush() }
        /rror: / { print }'

echo '[demo 2/3] testing on 100 clips of other people'
logged "$out/test_baseline.log" tools/test.py "$config" \
    "$out/epoch_$warmup.pth" --work-dir "$out/test_baseline"
last="$(cat "$out/last_checkpoint")"
logged "$out/test_stf.log" tools/test.py "$config" "$last" \
    --work-dir "$out/test_stf" --dump "$out/scores.pkl"

echo '[demo 3/3] drawing where it looks'
logged "$out/focus.log" tools/visualize_focus.py "$config" "$last" \
    --out "$out/focus.png"
logged "$out/page.log" tools/visualize_focus.py "$config" "$last" \
    --versus "$config" "$out/epoch_$warmup.pth" \
    --html "$out/focus.html"

top1() {
    sed -n "s/.*Epoch(test).*acc\/$2: \([0-9.]*\).*/\1/p" "$out/$1" |
        awk '{ printf "%.0f %%\n", 100 * $1 }'
}
cat <<END

top-1 accuracy on the val split
    baseline phase (MS-G3D)    $(top1 test_baseline.log top1)
    member focus               $(top1 test_stf.log focus_top1)
    member explore             $(top1 test_stf.log explore_top1)
    STF, their mean            $(top1 test_stf.log top1)
where it looks: $out/focus.png
interactive page: $PWD/$out/focus.html
END
