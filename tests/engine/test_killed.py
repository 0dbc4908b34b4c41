"""kill -9 at any moment of a training, also while it writes a checkpoint. Slow."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.small_runs import run, weights

from stf_mmaction.engine.resume import choose_checkpoint

HERE = Path(__file__).parent
SCRIPT = '''
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import conftest
from helpers.small_runs import run
from stf_mmaction.engine.resume import choose_checkpoint
folder = Path({folder!r})
path, _ = choose_checkpoint(folder)
run(folder, resume=path is not None, load_from=path, train_cfg=dict(by_epoch=True, max_epochs=16))
'''


@pytest.mark.slow
def test_a_run_killed_four_times_ends_with_the_same_weights(tmp_path):
    whole = weights(run(tmp_path / 'whole', train_cfg=dict(by_epoch=True, max_epochs=16)))
    folder = tmp_path / 'killed'
    code = SCRIPT.format(tests=str(HERE.parent), folder=str(folder))
    env = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(HERE.parents[1]))
    choose, kills = random.Random(0), 0
    for _ in range(4):
        before = len(list(folder.glob('*.pth')))
        process = subprocess.Popen([sys.executable, '-c', code], env=env)
        # Two new checkpoints, and then a moment of the next ones.
        while process.poll() is None and len(list(folder.glob('*.pth'))) < before + 2:
            time.sleep(0.005)
        time.sleep(choose.uniform(0, 0.2))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    path, _ = choose_checkpoint(folder)
    last = run(folder, resume=True, load_from=path, train_cfg=dict(by_epoch=True, max_epochs=16))
    assert kills >= 2
    for name, value in weights(last).items():
        assert value.equal(whole[name]), name
