"""Hostile and broken files end in one sentence, soon and in little memory."""

import contextlib
import os
import pickle
import resource
import time

import numpy as np
import pytest
import torch
from helpers.hostile import (
    BLANK,
    CHECKPOINTS,
    DTYPE,
    LITTLE,
    OLDER,
    PICKLES,
    WHOLE,
    checkpoint,
    saved,
)
from mmengine.runner import CheckpointLoader

from stf_mmaction.files import read_checkpoint, safe_load

SECONDS, MIB = 8, 700


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file in the working directory, where an attack would leave its mark."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path / 'file'
    assert not (tmp_path / 'attacked').exists()


def refused(read, path, data, reason):
    """Read a file; give the error and what it cost."""
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with pytest.raises(ValueError) as error:
        read(path)
    took = time.process_time() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    sentence = str(error.value)
    assert reason in sentence and str(path) in sentence
    assert '\n' not in sentence and len(sentence) < 600
    assert took < SECONDS and grown < MIB, (took, grown)


@pytest.mark.parametrize('name', PICKLES)
def test_a_pickle_is_refused(path, name):
    refused(safe_load, path, *PICKLES[name])


@pytest.mark.parametrize('name', CHECKPOINTS)
def test_a_checkpoint_is_refused(path, name):
    refused(read_checkpoint, path, *CHECKPOINTS[name])


def test_a_refused_file_leaves_nothing_behind(path):
    """Neither functions nor dtypes of the process are changed."""
    before = np.dtype('f4').__reduce__(), dict(vars(torch._utils._rebuild_tensor_v2))
    for data, _ in (*PICKLES.values(), *CHECKPOINTS.values()):
        if len(data) < 10_000:
            path.write_bytes(data)
            for read in (safe_load, read_checkpoint):
                with contextlib.suppress(ValueError):
                    read(path)
    after = np.dtype('f4').__reduce__(), dict(vars(torch._utils._rebuild_tensor_v2))
    assert after == before


@pytest.mark.parametrize('data', [WHOLE, OLDER])
def test_a_checkpoint_is_read_as_it_was_written(path, data):
    path.write_bytes(data)
    loaded, written = read_checkpoint(path), checkpoint()
    torch.testing.assert_close(loaded['state_dict'], written['state_dict'], rtol=0, atol=0)
    history = loaded['message_hub']['log_scalars']['loss']
    assert (history.mean(), history.statistics('max')) == (1.5, 2.0)
    assert loaded['best'] == 0.5
    assert loaded['meta'] == dict(epoch=1, iter=2, config_text='x = 1')
    loaded['state_dict']['weight'] += 1  # may be written to


def test_the_config_in_a_checkpoint_is_never_run(path):
    attack = "import os; os.system('touch attacked')"
    path.write_bytes(saved(dict(meta=dict(epoch=1, iter=1, config=attack))))
    loaded = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    assert 'config' not in loaded['meta'] and loaded['meta']['config_text'] == attack


def test_tensors_share_what_they_shared(path):
    """A view stays a view, strides and all."""
    base = torch.arange(12.0).reshape(3, 4)
    value = dict(base=base, column=base[:, 1], turned=base.T, none=base[:0], one=base[2, 3])
    for options in (dict(), dict(_use_new_zipfile_serialization=False)):
        path.write_bytes(saved(value, **options))
        loaded = read_checkpoint(path)
        for name, tensor in value.items():
            assert loaded[name].equal(tensor) and loaded[name].stride() == tensor.stride()
        loaded['base'][0, 1] = 100
        assert loaded['column'][0] == 100


@pytest.mark.parametrize('kind', ['folder', 'pipe', 'loop', 'nowhere'])
@pytest.mark.parametrize('read', [safe_load, read_checkpoint])
def test_what_is_no_file_is_not_waited_for(path, kind, read):
    dict(
        folder=path.mkdir,
        pipe=lambda: os.mkfifo(path),
        loop=lambda: path.symlink_to(path),
        nowhere=lambda: None,
    )[kind]()
    with pytest.raises((ValueError, OSError), match=str(path)):
        read(path)


@pytest.mark.parametrize('protocol', range(6))
def test_data_of_any_protocol_is_read(path, protocol):
    rng = np.random.default_rng(0)
    value = dict(
        numbers=[0, -1, 255, 65536, 2**40, -(2**70), 1.5, True, None, complex(1, 2)],
        text=['', 'abc', 'äö\n', 'x' * 300],
        bytes=[b'', b'ab\xff', bytes(10_000), bytearray(b'xy')],
        tuples=[(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        sets={1, 'a'},
        small=rng.normal(size=(2, 3)).T,
        large=rng.normal(size=(40, 50, 3)).astype('f2'),
        bools=np.array([True, False]),
    )
    path.write_bytes(pickle.dumps(value, protocol))
    loaded = safe_load(path)
    assert list(loaded) == list(value)
    for name in ('numbers', 'text', 'bytes', 'tuples', 'sets'):
        assert loaded[name] == value[name]
        assert list(map(type, loaded[name])) == list(map(type, value[name]))
    for name in ('small', 'large', 'bools'):
        np.testing.assert_array_equal(loaded[name], value[name])
        assert loaded[name].dtype == value[name].dtype


def test_bytes_that_are_named_often_are_kept_once(path):
    whole = bytes(2**20)
    path.write_bytes(pickle.dumps([whole] * 10_000))
    loaded = safe_load(path)
    assert loaded[0] == whole and len(set(map(id, loaded))) == 1


def test_arrays_of_the_same_bytes_are_apart(path):
    """And may be written to."""
    data = b'B' + (4096).to_bytes(4, 'little') + bytes(4096)
    start = BLANK + b'(K\x01M\x00\x04\x85'
    one, two = (start + kind + b'\x89h\x00tb' for kind in (DTYPE + LITTLE + b'q\x01', b'h\x01'))
    path.write_bytes(b'\x80\x04(' + data + b'q\x00' + one + two + b'l.')
    kept, first, second = safe_load(path)
    first += 5
    assert kept == bytes(4096) and (second == 0).all() and (first == 5).all()


def test_what_is_shared_stays_shared(path):
    names = ['a', 'b']
    path.write_bytes(pickle.dumps(dict(one=names, two=names, three=[names] * 50)))
    loaded = safe_load(path)
    assert loaded['one'] is loaded['two'] is loaded['three'][-1]
