"""Files are whole or not there; a full disk or a folder in use is one sentence."""

import errno
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import METRICS

from stf_mmaction.engine import cli
from stf_mmaction.engine.checkpoint_paths import confine_paths
from stf_mmaction.engine.inference import check_device
from stf_mmaction.files import check_writable, lock_folder, os_error_sentence, replacing


@contextmanager
def small_disk():
    """Files of up to 1,000 bytes, as a full disk would cut them.

    Not a fixture: what pytest itself writes between its steps may go to a file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_cut_file_is_not_left(tmp_path):
    path = tmp_path / 'scores.pkl'
    path.write_bytes(b'old')
    with pytest.raises(OSError) as error, small_disk():
        with replacing(path) as partial:
            partial.write_bytes(bytes(5000))
    assert path.read_bytes() == b'old' and os.listdir(tmp_path) == ['scores.pkl']
    sentence = os_error_sentence(error.value)
    assert sentence.startswith(f'{path} cannot be read or written: the file is larger')


@pytest.mark.parametrize(
    'code, words',
    [
        (errno.ENOSPC, 'no space is left'),
        (errno.EDQUOT, 'quota'),
        (errno.EROFS, 'read-only'),
        (errno.EACCES, 'permission denied'),
    ],
)
def test_a_tool_says_what_the_disk_said(tmp_path, code, words):
    def main():
        with replacing(tmp_path / 'x.csv') as partial:
            raise OSError(code, os.strerror(code), str(partial))

    with pytest.raises(SystemExit) as stop:
        cli.run(main)
    assert stop.value.code.startswith(f'error: {tmp_path}/x.csv cannot be read or written: ')
    assert words in stop.value.code
    assert not os.listdir(tmp_path)


def test_scores_are_dumped_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'scores.pkl'
    dump = METRICS.build(dict(type='DumpResults', out_file_path=str(path)))
    with pytest.raises(OSError), small_disk():
        dump.compute_metrics([dict(pred_score=torch.rand(10_000))])
    assert not os.listdir(tmp_path)
    dump.compute_metrics([dict(pred_score=torch.rand(3))])
    assert os.listdir(tmp_path) == ['scores.pkl']
    with pytest.raises(OSError):  # before the test starts, not after
        METRICS.build(dict(type='DumpResults', out_file_path=str(tmp_path / 'scores.pkl/a.pkl')))
    (tmp_path / 'b.pkl').mkdir()
    with pytest.raises(IsADirectoryError):
        check_writable(tmp_path / 'b.pkl')


def test_a_link_is_kept_and_what_it_leads_to_replaced(tmp_path):
    (tmp_path / 'real.csv').write_text('old')
    (tmp_path / 'link.csv').symlink_to('real.csv')
    with replacing(tmp_path / 'link.csv') as partial:
        partial.write_text('new')
    assert (tmp_path / 'link.csv').is_symlink()
    assert (tmp_path / 'real.csv').read_text() == 'new'


HOLD = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location('writing', sys.argv[1])
writing = importlib.util.module_from_spec(spec)
spec.loader.exec_module(writing)
writing.lock_folder(sys.argv[2])
if not os.fork():  # as a worker, which outlives it
    sys.stdin.read()
    os._exit(0)
print('locked', flush=True)
sys.stdin.read()
"""


def test_a_second_training_in_a_work_folder_is_refused(tmp_path):
    """Until the first one ends, be it by kill -9 with workers that live on."""
    source = sys.modules[lock_folder.__module__].__file__
    first = subprocess.Popen(
        [sys.executable, '-c', HOLD, source, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout.readline() == 'locked\n'
    cfg = SimpleNamespace(work_dir=str(tmp_path), launcher='none')
    with pytest.raises(SystemExit) as stop:
        cli.lock_work_dir(cfg)
    assert f'another training writes to {tmp_path} (process {first.pid} on ' in stop.value.code
    first.send_signal(signal.SIGKILL)
    first.wait()
    cli.lock_work_dir(cfg)
    cli.lock_work_dir(cfg)  # its own
    first.stdin.close()
    first.stdout.close()


def test_a_checkpoint_names_files_of_the_work_folder_only(tmp_path):
    """MMEngine deletes the best checkpoint so far by the path in the new one."""
    runner = SimpleNamespace(work_dir=str(tmp_path / 'new'), hooks=[])
    info = dict(
        best_ckpt='/home/me/old/best_acc_epoch_3.pth',
        best_ckpt_loss='/etc/passwd',
        last_ckpt=str(tmp_path / 'old/epoch_3.pth'),
        keep_ckpt_ids=[1, '../../x', 2],
        iter=7,
    )
    confine_paths(runner, dict(message_hub=dict(runtime_info=info)))
    assert info == dict(
        best_ckpt=str(tmp_path / 'new/best_acc_epoch_3.pth'),
        last_ckpt=str(tmp_path / 'new/epoch_3.pth'),
        keep_ckpt_ids=[1, 2],
        iter=7,
    )
    confine_paths(runner, dict(state_dict={}))


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="device 'nonsense' cannot be used"):
        check_device('nonsense')
    check_device('cpu')


@pytest.mark.parametrize('defect', [KeyError('keypoint'), IndexError('x'), AssertionError()])
def test_what_happens_by_chance_keeps_its_traceback(monkeypatch, defect):
    """``error: 'keypoint'`` helps nobody."""
    monkeypatch.delenv('STF_TRACEBACK', raising=False)

    def fails(*_):
        raise defect

    code = compile('def inner(fails): fails()', cli.__file__, 'exec')
    names = {}
    exec(code, names)
    with pytest.raises(type(defect)):
        cli.run(lambda: names['inner'](fails))
