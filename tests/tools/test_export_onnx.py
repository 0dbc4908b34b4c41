"""Every shipped backbone computes the same in onnxruntime."""

import runpy

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from networks import (
    FOCUS_LOSSES,
    STAR,
    backbone,
    backward_now,
    batch,
    ensemble_cfg,
    recognizer_cfg,
    wake,
)
from test_tools import DEMO, ROOT, tool

export = runpy.run_path(str(ROOT / 'tools/export_onnx.py'))['export']


def chain(kind, width, **cfg):
    """A small network of another kind, whose last features have a width."""
    out = recognizer_cfg(
        net=dict(
            type=kind,
            graph_cfg=dict(layout=STAR, mode='spatial'),
            in_channels=4,
            base_channels=8,
            **cfg,
        )
    )
    out['cls_head']['in_channels'] = width
    return out


SHORT = dict(num_stages=3, inflate_stages=[2], down_stages=[3])
NETWORKS = dict(
    msg3d=recognizer_cfg(net=backbone('MSG3DBackbone')),
    stf=recognizer_cfg(FOCUS_LOSSES),
    ensemble=ensemble_cfg(),
    stf_stgcn=chain('STFSTGCN', 16, **SHORT),
    stf_stgcnpp=chain('STFSTGCN', 16, gcn_adaptive='init', gcn_with_res=True, **SHORT),
    stf_aagcn=chain('STFAAGCN', 16, **SHORT),
    ctrgcn=chain('CTRGCNBackbone', 32),
    stf_ctrgcn=chain('STFCTRGCN', 32),
)


@pytest.mark.parametrize('cfg', NETWORKS.values(), ids=NETWORKS)
def test_onnxruntime_gives_the_same_probabilities(cfg, tmp_path):
    model = MODELS.build(cfg)
    wake(model)
    backward_now(model, batch(frames=9)[0])
    file = tmp_path / 'model.onnx'
    assert export(model.eval(), (2, 2, 9, 5, 4), str(file)) < 1e-5
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=['CPUExecutionProvider'])
    scores = [
        session.run(None, dict(keypoint=np.full((2, 2, 9, 5, 4), value, np.float32)))[0]
        for value in (0.1, 2)
    ]
    assert np.abs(scores[0] - scores[1]).max() > 1e-4  # not a constant
    torch.testing.assert_close(scores[0].sum(1), np.ones(2, np.float32))


def test_the_tool_refuses_a_missing_checkpoint(tmp_path):
    out = tool('export_onnx.py', DEMO, tmp_path / 'none.pth')
    assert out.returncode and 'none.pth' in out.stderr
