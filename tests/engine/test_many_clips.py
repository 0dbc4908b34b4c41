"""Ten thousand clips through the inferencer, in flat memory. Slow."""

import gc
import resource

import numpy as np
import pytest
from helpers import ROOT
from mmengine.config import Config

from stf_mmaction import STFInferencer


@pytest.mark.slow
def test_10000_clips():
    cfg = Config.fromfile(str(ROOT / 'tests/configs/msg3d_tiny_j.py'))
    inferencer = STFInferencer(cfg)
    rng = np.random.default_rng(0)
    early = None
    for number in range(10_000):
        clip = rng.normal(size=(1, int(rng.integers(1, 33)), 20, 3))
        result = inferencer(clip)
        assert np.isfinite(result['pred_scores']).all()
        assert result['focus'].shape == clip.shape[:3]
        if number == 500:
            gc.collect()
            early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - early
    assert growth < 20 * 1024  # KiB
