"""Focus maps side by side, against those of the networks themselves."""

import numpy as np
import pytest
import torch
from helpers.marked import Clips, marked
from helpers.networks import FOCUS_LOSSES, calibrate, ensemble_cfg, recognizer_cfg, wake
from mmaction.registry import MODELS

from stf_mmaction.engine.comparisons import compare_focus
from stf_mmaction.focus import focus_map, gradient_weights, min_max

NAMES = ['walk', 'run', 'sit', 'jump']


def built(cfg):
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    wake(model)
    inputs = torch.from_numpy(np.stack([Clips.get_data_info(i)['keypoint'] for i in range(4)]))
    return calibrate(model, inputs[:, None]).eval(), inputs


@pytest.fixture(scope='module')
def network():
    cfg = recognizer_cfg(head=FOCUS_LOSSES)
    cfg['backbone']['in_channels'] = 3
    return built(cfg)


@pytest.fixture(scope='module')
def ensemble():
    cfg = ensemble_cfg()
    cfg['shared']['backbone']['in_channels'] = 3
    return built(cfg)


def test_two_classes(network):
    model, inputs = network
    first, second = compare_focus(model, Clips, 1, NAMES, 'classes')
    result = model.focus(inputs[1:2])
    for shown, focus, label in zip((first, second), result['focus'][0], result['classes'][0]):
        np.testing.assert_allclose(shown.focus, focus, atol=1e-6)
        p = result['scores'][0, label]
        assert shown.title == f'clip 1: run (focus for {NAMES[label]}, p = {p:.2f})'


def test_two_modules_by_autograd(network):
    """Eq. (2) taken literally, for the last two stages of the backbone."""
    model, inputs = network
    shown = compare_focus(model, Clips, 2, NAMES, 'modules')
    with torch.enable_grad():
        stages = model.backbone.forward_stages(inputs[2:3])
        scores = model.cls_head.scores(stages.features[-1]).softmax(1)
        top = scores.max(1).values[:, None]
        for clip, features in zip(shown, stages.features[-2:]):
            weights = gradient_weights(top, features)
            raw = (features * weights[:, 0, None, :, None, None]).sum(2).relu()
            expected = min_max(raw[:, None])[0, 0].detach()
            torch.testing.assert_close(focus_map(features, weights)[0, 0].detach(), expected)
            grid = torch.nn.functional.interpolate(
                expected.transpose(1, 2), 12, mode='linear'
            ).transpose(1, 2)
            np.testing.assert_allclose(clip.focus, grid, atol=1e-5)
    assert not any(p.grad is not None for p in model.parameters())


def test_members(ensemble):
    model, inputs = ensemble
    shown = compare_focus(model, Clips, 3, NAMES, 'members')
    label = model.focus(inputs[3:4])['scores'].argmax()
    for clip, (name, member) in zip(shown, model.members.items()):
        expected = member.focus(inputs[3:4], label.view(1, 1))['focus'][0, 0]
        np.testing.assert_allclose(clip.focus, expected, atol=1e-6)
        assert f'member {name}' in clip.title


def test_what_a_network_lacks_is_said(network):
    model, _ = network
    with pytest.raises(ValueError, match='STFRecognizer has no members to compare'):
        compare_focus(model, Clips, 0, NAMES, 'members')
    cfg = recognizer_cfg(net=dict(type='STGCN', graph_cfg=dict(layout='coco'), in_channels=3))
    cfg['cls_head']['in_channels'] = 256
    other = MODELS.build(cfg).eval()
    clips = type('Clips17', (), dict(pipeline=Clips.pipeline))
    clips.get_data_info = staticmethod(
        lambda i: dict(marked(frames=12), keypoint=np.ones((2, 12, 17, 3), np.float32))
    )
    with pytest.raises(ValueError, match='STGCN does not name .*set focus_layers='):
        compare_focus(other, clips, 0, NAMES, 'modules')
