"""What the converters share: a run may be stopped, and may be parallel."""

import multiprocessing
import os
import pickle
import signal
import time
import tracemalloc
from functools import partial

import numpy as np
import pytest
from helpers.data_tools import run_tool, skipped, write_csv, write_ntu

from stf_mmaction.converters.clips import Clip
from stf_mmaction.converters.conversion import convert
from stf_mmaction.datasets import safe_load

NAMES = [f'S001C001P00{p}R001A0{a}' for p in (1, 3) for a in range(10, 20)]


@pytest.fixture
def raw(tmp_path):
    write_ntu(tmp_path / 'raw', NAMES)
    (tmp_path / 'raw' / f'{NAMES[4]}.skeleton').write_text('broken')
    return tmp_path / 'raw'


def whole(raw, folder, workers):
    out = folder / 'whole.pkl'
    run_tool('ntu.py', 60, raw, out, '--workers', workers)
    return out.read_bytes()


def test_parallel_is_serial(raw, tmp_path):
    serial = whole(raw, tmp_path / 'a', 1)
    assert whole(raw, tmp_path / 'b', 3) == serial
    clips = pickle.loads(serial)['annotations']
    assert [clip['frame_dir'] for clip in clips] == NAMES[:4] + NAMES[5:]


def begun(raw, out, workers, read_clips=5):
    """Start a conversion that gets slow; return it when it is."""

    def child():
        os.setsid()
        replace = os.replace

        def slow(*args):
            replace(*args)
            if len(list(parts.glob('[!.]*.pkl'))) > read_clips:
                time.sleep(60)

        os.replace = slow
        run_tool('ntu.py', 60, raw, out, '--workers', workers)

    parts = out.with_name(f'{out.name}.parts')
    process = multiprocessing.get_context('fork').Process(target=child)
    process.start()
    while len(list(parts.glob('[!.]*.pkl'))) <= read_clips:
        assert process.is_alive()
        time.sleep(0.01)
    return process


def killed(raw, out, workers):
    """Start a conversion, kill it on the way; return what it has read."""
    process = begun(raw, out, workers)
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert not out.exists()
    return {part.name for part in out.with_name(f'{out.name}.parts').glob('[!.]*.pkl')}


def test_only_one_process_converts_to_a_file(raw, tmp_path):
    out = tmp_path / 'out.pkl'
    process = begun(raw, out, 2)
    try:
        with pytest.raises(SystemExit) as end:
            run_tool('ntu.py', 60, raw, out, '--workers', 1)
        assert end.value.code.startswith(f'error: another process is converting to {out}')
        # Its workers are left, and are no harm.
        process.kill()
        process.join()
        run_tool('ntu.py', 60, raw, out, '--workers', 1)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    assert len(safe_load(out)['annotations']) == 19


def test_files_are_on_the_disk_before_they_have_their_name(raw, tmp_path, monkeypatch):
    synced, named = {}, []
    replace = os.replace

    def fsync(file):
        synced[os.fstat(file).st_ino] = os.fstat(file).st_size

    def check(source, target):
        assert synced[source.stat().st_ino] == source.stat().st_size > 0
        named.append(target)
        replace(source, target)

    monkeypatch.setattr(os, 'fsync', fsync)
    monkeypatch.setattr(os, 'replace', check)
    whole(raw, tmp_path, 1)
    assert len(named) == 20 and named[-1] == tmp_path / 'whole.pkl'


@pytest.mark.parametrize('workers', [1, 2])
def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(raw, tmp_path, workers, monkeypatch):
    out = tmp_path / 'out.pkl'
    done = killed(raw, out, workers)
    assert 5 < len(done) < 19
    # What is only begun is no harm.
    (tmp_path / 'out.pkl.parts/x.pkl.unfinished').write_bytes(b'half')
    written = []
    replace = os.replace
    monkeypatch.setattr(os, 'replace', lambda a, b: written.append(b.name) or replace(a, b))
    run_tool('ntu.py', 60, raw, out, '--workers', 1)
    assert not set(written) & set(done)
    assert len(written) == 19 - len(done) + 1
    monkeypatch.undo()
    assert out.read_bytes() == whole(raw, tmp_path / 'a', 1)
    assert not (tmp_path / 'out.pkl.parts').exists()
    assert [name for name, _ in skipped(out)] == [NAMES[4]]


def test_a_file_that_was_mended_after_the_kill_is_read_again(raw, tmp_path):
    out = tmp_path / 'out.pkl'
    killed(raw, out, 1)
    for name, other in ((NAMES[0], NAMES[9]), (NAMES[4], NAMES[8])):
        (raw / f'{name}.skeleton').write_bytes((raw / f'{other}.skeleton').read_bytes())
    run_tool('ntu.py', 60, raw, out)
    clips = {c['frame_dir']: c['keypoint'] for c in safe_load(out)['annotations']}
    assert list(clips) == NAMES
    for name, other in ((NAMES[0], NAMES[9]), (NAMES[4], NAMES[8])):
        np.testing.assert_array_equal(clips[name], clips[other])


def test_another_argument_reads_again(tmp_path):
    """Of a run that was stopped nothing is taken that does not fit."""
    files = [tmp_path / f'{n}.csv' for n in 'ab']
    for file in files:
        write_csv(file, np.ones((1, 2, 3, 2)))
    clips = [Clip(f.stem, 0, ('all',), f) for f in files]

    stop = 'b'

    def read(clip, joints):
        if clip.frame_dir == stop:
            raise KeyboardInterrupt
        return dict(keypoint=np.ones((1, 2, joints, 2)))

    out = tmp_path / 'o.pkl'
    with pytest.raises(KeyboardInterrupt):
        convert(clips, partial(read, joints=3), out, 1, [])
    stop = None
    convert(clips, partial(read, joints=4), out, 1, [])
    assert {clip['keypoint'].shape[2] for clip in safe_load(out)['annotations']} == {4}


def test_clips_in_files_of_their_own_need_not_fit_into_memory(tmp_path):
    (tmp_path / 'a').touch()
    clips = [Clip(f'{n}', 0, (), tmp_path / 'a') for n in range(30)]

    def read(clip):
        return dict(keypoint=np.ones((1, 500, 250, 2), np.float32))

    peaks = []
    for clip_dir in (None, tmp_path / 'clips'):
        tracemalloc.start()
        convert(clips, read, tmp_path / 'o.pkl', 1, [], clip_dir)
        peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
    assert peaks[0] > 30 > 6 > peaks[1]


def test_a_process_that_dies_is_told(tmp_path):
    (tmp_path / 'a').touch()
    clips = [Clip('a', 0, (), tmp_path / 'a')]
    with pytest.raises(SystemExit, match='fewer --workers'):
        convert(clips, die, tmp_path / 'o.pkl', 2, [])


def die(clip):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_full_disk_is_not_the_fault_of_a_clip(tmp_path, monkeypatch):
    (tmp_path / 'a').touch()
    clips = [Clip('a', 0, (), tmp_path / 'a')]

    def full(*args, **kwargs):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(pickle, 'dump', full)
    with pytest.raises(OSError, match='No space'):
        convert(clips, lambda clip: dict(keypoint=np.ones((1, 1, 1, 2))), tmp_path / 'o.pkl', 1, [])


@pytest.mark.parametrize(
    'arguments, sentence',
    [
        ('60 gone o.pkl', 'folder gone does not exist'),
        ('60 empty o.pkl', 'empty holds no .skeleton file'),
        ('61 raw o.pkl', 'invalid choice'),
        ('60 raw o.npy', 'o.npy must end in .pkl'),
        ('60 raw d.pkl', 'd.pkl is a folder'),
        ('60 raw empty.txt/o.pkl', 'empty.txt is a file'),
        ('60 raw empty.txt/a/o.pkl', 'empty.txt is a file'),
        ('60 raw o.pkl --workers 0', '0 must be at least 1'),
        ('60 raw o.pkl --missing gone.txt', 'file gone.txt does not exist'),
        ('60 raw o.pkl --missing empty.txt', 'empty.txt names no clip'),
        ('60 bad o.pkl', 'no clip could be used'),
    ],
)
def test_a_wrong_call_ends_in_one_sentence(raw, tmp_path, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    for folder in ('empty', 'bad', 'd.pkl'):
        (tmp_path / folder).mkdir()
    (tmp_path / 'empty.txt').touch()
    (tmp_path / f'bad/{NAMES[0]}.skeleton').write_text('3')
    with pytest.raises(SystemExit) as end:
        run_tool('ntu.py', *arguments.split())
    message = end.value.code
    if message == 2:  # argparse has printed
        message = 'error:' + capsys.readouterr().err.partition('error:')[2]
    assert message.startswith('error: ') and sentence in message
    assert not list(tmp_path.glob('o.*.parts'))
    assert not (tmp_path / 'o.pkl').exists()
