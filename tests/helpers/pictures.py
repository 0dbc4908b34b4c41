"""A clip with a focus, as pictures take it, and a skeleton with names."""

import numpy as np

from helpers.networks import STAR
from stf_mmaction.visualization import FocusedClip

NAMED = dict(STAR, names=['hip', 'spine', 'head', 'l_foot', 'r_foot'])


def clip(persons=1, frames=9, joints=5, channels=3, seed=0, **fields):
    rng = np.random.default_rng(seed)
    shape = (persons, frames, joints)
    focused = FocusedClip(rng.normal(size=(*shape, channels)), rng.random(shape), f'clip {seed}')
    return focused._replace(**fields)
