"""Files that the tools write, and how each is read: whole, or with parts changed."""

import importlib.util
import io
import json
import pickle

import numpy as np

from stf_mmaction.converters import arrays, custom, kinetics, mmpose_json, ntu, openpose_json
from stf_mmaction.converters.clips import Clip
from stf_mmaction.converters.labels import read_labels
from stf_mmaction.datasets import get_layout
from stf_mmaction.datasets.class_names import read_class_names
from stf_mmaction.engine import FocusFile, dumps
from stf_mmaction.engine.config_file import read_config
from stf_mmaction.experiments.results import Results
from stf_mmaction.experiments.table import Table
from stf_mmaction.files import read_yaml
from stf_mmaction.locations import TOOLS

ANALYSIS = TOOLS / 'analysis'


def load(path):
    """A tool as a module."""
    spec = importlib.util.spec_from_file_location(f'hostile_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arrays_of(path):
    """Find the clips of a folder of NPY files whose first file is given."""
    label = path.with_name('train_label.pkl')
    if not label.exists():
        label.write_bytes(pickle.dumps((['a', 'b'], [0, 1])))
    path.rename(path.with_name('train_data.npy'))
    return arrays.find_clips(path.parent)


def named(read, ending):
    """A reader that goes by the ending."""
    return lambda path: read(path.rename(path.with_suffix(ending)))


def clip(path):
    return Clip('x', 0, (), path)


READERS = dict(
    log=lambda path: load(ANALYSIS / 'curves.py').read(path),
    features=lambda path: load(ANALYSIS / 'embedding.py').load(path),
    parts=lambda path: load(ANALYSIS / 'faithfulness.py').acting_joints(path, 4, 5),
    focus=lambda path: list(FocusFile(path)),
    dump=lambda path: dumps.read(str(path)),
    names=read_class_names,
    yaml=read_yaml,
    table=lambda path: list(Table(path).cells()),
    results=lambda path: list(Results(path).lines()),
    npy=arrays_of,
    config=named(read_config, '.py'),
    layout=named(lambda path: get_layout(str(path)), '.json'),
    csv=named(lambda path: custom.read(clip(path), 3), '.csv'),
    npz=lambda path: custom.read_arrays(path, 3),
    ntu=ntu.read_bodies,
    kinetics=lambda path: kinetics.read(clip(path)),
    mmpose=lambda path: mmpose_json.read(clip(path), 2),
    openpose=openpose_json.read_frame,
    labels=read_labels,
)


def npz(change=None, **arrays):
    """An NPZ file, its bytes perhaps changed."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    data = buffer.getvalue()
    return data if change is None else change(data)


def compressed(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def broken_stream(data):
    """Spoil what is compressed, behind the header of its member."""
    start = data.index(b'.npy') + 4
    return data[: start + 25] + b'\xff' * 40 + data[start + 65 :]


def features(**changes):
    whole = dict(features=np.eye(3), labels=np.arange(3), ids=np.array(['a', 'b', 'c']))
    return npz(**{**whole, **changes})


def focus(**changes):
    """A focus file of two clips."""
    whole = dict(
        index=np.arange(2),
        ids=np.array(['a', 'b']),
        label=np.zeros(2, int),
        prediction=np.zeros(2, int),
        scores=np.full((2, 3), 1 / 3, np.float32),
        classes=np.array([[0, 1]] * 2),
        class_names=np.array(['x', 'y', 'z']),
    )
    whole.update({f'focus/{i}': np.zeros((2, 1, 4, 5), np.float16) for i in range(2)})
    whole.update(changes)
    return npz(**{name: array for name, array in whole.items() if array is not None})


def sample(**changes):
    return dict(dict(pred_score=np.array([0.5, 0.5]), gt_label=0, frame_dir='a'), **changes)


def dump(*samples):
    return pickle.dumps(list(samples))


def lines(*values):
    return '\n'.join(map(json.dumps, values))


def laughs(depth):
    """YAML names that stand for ten times the one before."""
    rows = ['a0: &a0 [x, x]']
    rows += [f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 10)}]' for i in range(1, depth)]
    return '\n'.join(rows)


TABLE = """
sets: {demo: {config: configs/msg3d_demo_j.py, splits: {own: {train: train, test: val}}}}
seeds: [0]
against: a
rows: {a: }
"""
