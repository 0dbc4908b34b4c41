"""Every shipped backbone computes the same in onnxruntime."""

import copy
import runpy

import numpy as np
import pytest
import torch
from helpers.networks import (
    FOCUS_LOSSES,
    STAR,
    backbone,
    batch,
    calibrate,
    ensemble_cfg,
    recognizer_cfg,
    wake,
)
from helpers.tools import DEMO, ROOT, tool
from mmaction.registry import MODELS

TOOL = runpy.run_path(str(ROOT / 'tools/export_onnx.py'))
export, resize = TOOL['export'], TOOL['resize']


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


@pytest.mark.parametrize('cfg', [NETWORKS[n] for n in ('msg3d', 'ensemble')], ids=['msg3d', 'ens'])
def test_onnxruntime_gives_the_same_probabilities(cfg, tmp_path):
    model = MODELS.build(cfg)
    wake(model)
    calibrate(model, batch(frames=9)[0])
    file = tmp_path / 'model.onnx'
    clips = batch(frames=9)[0][:, 0]
    assert export(model.eval(), (2, 2, 9, 5, 4), str(file), clips) < 1e-4
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=['CPUExecutionProvider'])
    scores = [
        session.run(None, dict(keypoint=np.full((2, 2, 9, 5, 4), value, np.float32)))[0]
        for value in (0.1, 2)
    ]
    assert np.abs(scores[0] - scores[1]).max() > 1e-4  # not a constant
    torch.testing.assert_close(scores[0].sum(1), np.ones(2, np.float32))


@pytest.mark.parametrize('name', NETWORKS)
def test_a_dynamic_file_takes_any_number_of_clips_and_frames(name, tmp_path):
    model = MODELS.build(NETWORKS[name])
    wake(model)
    calibrate(model, batch(frames=9)[0])
    file = str(tmp_path / 'model.onnx')
    clips = batch(frames=9)[0][:, 0]
    assert export(model.eval(), (1, 2, 9, 5, 4), file, clips, dynamic=True) < 1e-4
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=['CPUExecutionProvider'])
    assert session.get_inputs()[0].shape == ['clips', 2, 'frames', 5, 4]
    for size in (1, 2, 7):
        for frames in (1, 8, 21):
            given = torch.randn(size, 2, frames, 5, 4)
            with torch.no_grad():
                expected = TOOL['Scores'](model)(given)[1]
            logits = session.run(['logits'], dict(keypoint=given.numpy()))[0]
            torch.testing.assert_close(logits, expected.numpy(), rtol=1e-4, atol=1e-4)


def test_a_network_that_fixes_its_batch_is_no_dynamic_file(tmp_path):
    class Fixed(torch.nn.Module):
        def forward(self, inputs, **_):
            return inputs.mean((1, 2, 3, 4)) + torch.zeros(len(inputs), 4)

    clips = batch(frames=9)[0][:, 0]
    with pytest.raises(ValueError, match='does not run on 5 clips of 9 frames: .* --dynamic out'):
        export(Fixed().eval(), (2, 2, 9, 5, 4), str(tmp_path / 'model.onnx'), clips, dynamic=True)


def test_three_sizes_of_each_are_checked():
    for frames in (1, 2, 3, 64):
        sizes = TOOL['sizes_to_check'](frames)
        assert len(set(sizes)) == 9 and all(len(set(axis)) == 3 for axis in zip(*sizes))


def test_wrong_weights_are_seen_where_the_network_is_sure(tmp_path, monkeypatch):
    """Probabilities of a sure network hardly move with its weights."""
    model = MODELS.build(NETWORKS['msg3d'])
    calibrate(model, batch(frames=9)[0])
    with torch.no_grad():
        model.cls_head.fc.weight *= 1e4
    clips = batch(frames=9)[0][:, 0]
    write = torch.onnx.export

    def off_by_a_fifth(net, *args, **kwargs):
        other = copy.deepcopy(net)
        with torch.no_grad():
            other.model.cls_head.fc.weight *= 1.2
            probabilities = [part(clips[:1])[0] for part in (net, other)]
        assert (probabilities[0] - probabilities[1]).abs().max() < 1e-4
        return write(other, *args, **kwargs)

    monkeypatch.setattr(torch.onnx, 'export', off_by_a_fifth)
    assert export(model.eval(), (1, 2, 9, 5, 4), str(tmp_path / 'model.onnx'), clips) > 0.01


def test_real_clips_take_the_shape_of_the_file():
    clips = torch.arange(3 * 1 * 4).float().view(3, 1, 4, 1, 1)
    out = resize(clips, (2, 2, 6, 1, 1))
    assert out.shape == (2, 2, 2, 6, 1, 1)
    assert out[0, 1, 0, :, 0, 0].tolist() == [4, 5, 6, 7, 4, 5]
    assert (out[:, :, 1] == 0).all() and out[1, 1, 0, 0, 0, 0] == 0
    assert resize(clips, (3, 1, 2, 1, 1))[0, :, 0, :, 0, 0].tolist() == [[0, 1], [4, 5], [8, 9]]
    with pytest.raises(ValueError, match='has 2 joints and 1 channels, the test clips .* 1 and 1'):
        resize(clips, (1, 1, 4, 2, 1))


def test_the_tool_refuses_a_missing_checkpoint(tmp_path):
    out = tool('export_onnx.py', DEMO, tmp_path / 'none.pth')
    assert out.returncode and 'none.pth' in out.stderr
