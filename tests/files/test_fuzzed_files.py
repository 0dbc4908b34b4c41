"""Whatever bytes are wrong: a ValueError, soon, and the process lives.

A few hundred examples per reader run with the suite. ``STF_FUZZ=100000`` runs
as many, for each reader; what was found is kept in ``hostile.py``.
"""

import io
import os
import pickle
import random
import zipfile

import numpy as np
import pytest
import torch
from helpers import hostile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stf_mmaction.files.tensors import read_pickle, read_torch
from stf_mmaction.files.tree import RefusedError

EXAMPLES = int(os.environ.get('STF_FUZZ', 150))
CODES = b''.join(bytes([code]) for code in range(256))
PICKLED = [
    pickle.dumps(
        dict(
            a=np.float32([[1, 2], [3, 4]]),
            b=np.int64(3),
            c=['x', 1.5, (1, 2)],
            d=np.array(['x', 'yz']),
            e=torch.arange(3.0),
        ),
        protocol,
    )
    for protocol in (0, 2, 4, 5)
]


def changed(draw, data):
    """Data with some bytes changed, cut, doubled or put in."""
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from('flip cut double code splice'.split()))
        if kind == 'flip' and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == 'cut':
            del data[at : at + draw(st.integers(1, 8))]
        elif kind == 'double':
            part = data[at : at + draw(st.integers(1, 40))]
            data[at:at] = part * draw(st.integers(1, 20))
        elif kind == 'code':
            data[at:at] = draw(st.binary(min_size=1, max_size=6))
        else:
            other = draw(st.integers(0, max(len(data) - 1, 0)))
            data[at:at] = data[other : other + draw(st.integers(1, 30))]
    return bytes(data)


@st.composite
def pickles(draw):
    source = draw(st.sampled_from([*PICKLED, *(data for data, _ in SMALL)]))
    return changed(draw, source)


@st.composite
def archives(draw):
    """Checkpoints whose CRCs are right and whose pickle or parts are wrong."""
    out = io.BytesIO()
    part = draw(st.sampled_from(['data.pkl', 'data.pkl', 'data.pkl', 'data/0', 'byteorder']))
    with zipfile.ZipFile(io.BytesIO(hostile.WHOLE)) as old, zipfile.ZipFile(out, 'w') as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, changed(draw, data) if name.endswith(part) else data)
    return out.getvalue()


@st.composite
def raw_checkpoints(draw):
    return changed(draw, draw(st.sampled_from([hostile.WHOLE, hostile.OLDER])))


SMALL = [case for case in hostile.PICKLES.values() if 0 < len(case[0]) < 2000]
FUZZED = dict(
    pickle=(read_pickle, pickles()),
    archive=(read_torch, archives()),
    raw=(read_torch, raw_checkpoints()),
)


@pytest.mark.parametrize('name', FUZZED)
def test_no_damage_leaves_the_error_or_the_process(name):
    read, files = FUZZED[name]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=EXAMPLES < 1000,
        suppress_health_check=list(HealthCheck),
    )
    @given(files)
    def reads(data):
        try:
            value = read(io.BytesIO(data), len(data))
        except RefusedError as error:
            assert len(str(error)) < 500
            return
        # What was let through can be walked through, copied and printed.
        assert len(repr(value)) < 2000 + 1000 * len(data)
        pickle.dumps(value)

    random.seed(0)
    reads()
