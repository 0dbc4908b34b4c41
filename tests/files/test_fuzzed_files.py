"""Whatever bytes are wrong: a ValueError, soon, and the process lives.

A few hundred examples per reader run with the suite; see ``fuzzing.py`` for more. What was found
is kept in ``hostile.py``.
"""

import io
import pickle
import random
import zipfile

import numpy as np
import pytest
import torch
from helpers import hostile
from helpers.fuzzing import changed, hammer
from hypothesis import strategies as st

from stf_mmaction.files.tensors import read_pickle, read_torch
from stf_mmaction.files.tree import RefusedError

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

    def check(data):
        try:
            value = read(io.BytesIO(data), len(data))
        except RefusedError as error:
            assert len(str(error)) < 500
            return
        # What was let through can be walked through, copied and printed.
        assert len(repr(value)) < 2000 + 1000 * len(data)
        pickle.dumps(value)

    random.seed(0)
    hammer(name, files, check)
