"""Maps of importance: shapes, and values where they are known."""

import pytest
import torch
from helpers.networks import ensemble_cfg, recognizer_cfg
from mmaction.registry import MODELS

from stf_mmaction.engine.explainers import EXPLAINERS, explain_with


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    model = MODELS.build(recognizer_cfg()).eval()
    torch.nn.init.normal_(model.cls_head.fc.weight)
    inputs = torch.randn(2, 2, 8, 5, 4)
    return model, inputs, torch.tensor([1, 3]), inputs.mean((0, 2), keepdim=True)


@pytest.mark.parametrize('name', EXPLAINERS)
def test_a_map_has_a_number_per_cell(network, name):
    for method, package in (('integrated', 'captum'), ('cam', 'pytorch_grad_cam')):
        if method in name:
            pytest.importorskip(package)
    model, inputs, classes, reference = network
    maps = EXPLAINERS[name](model, inputs, classes, reference)
    assert maps.shape == inputs.shape[:-1]
    assert maps.isfinite().all() and maps.std() > 0


def test_motion_is_the_squared_speed(network):
    _, inputs, *rest = network
    maps = EXPLAINERS['motion'](None, inputs, *rest)
    step = inputs[1, 0, 4, 2, :3] - inputs[1, 0, 3, 2, :3]  # visibility is no place
    assert maps[1, 0, 3, 2].item() == pytest.approx(step.square().sum().item(), rel=1e-5)
    assert (maps[:, :, -1] == maps[:, :, -2]).all()
    assert (EXPLAINERS['motion'](None, inputs[:, :, :1], *rest) == 0).all()


def test_integrated_gradients_add_up_to_the_difference(network):
    pytest.importorskip('captum')
    model, inputs, classes, reference = network
    reference = reference.expand_as(inputs)
    maps = EXPLAINERS['integrated_gradients'](model, inputs, classes, reference)
    with torch.no_grad():
        full, empty = (model.cls_head.scores(model.backbone(x)) for x in (inputs, reference))
    difference = (full - empty).gather(1, classes[:, None])[:, 0]
    torch.testing.assert_close(maps.sum((1, 2, 3)), difference, rtol=0.1, atol=0.05)


def test_a_missing_package_is_named(network, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'captum.attr', None)
    with pytest.raises(ValueError, match='pip install captum'):
        EXPLAINERS['integrated_gradients'](*network)


def test_a_model_gives_another_map_in_place_of_its_focus(network):
    _, inputs, *_ = network
    torch.manual_seed(0)
    model = MODELS.build(ensemble_cfg()).eval()
    before = model.focus(inputs)
    explain_with(model, 'motion')
    after = model.focus(inputs)
    for key in ('scores', 'classes'):
        assert after[key].equal(before[key])
    energy = EXPLAINERS['motion'](None, inputs, None, None)
    low, high = (f(energy, (1, 2, 3), True) for f in (torch.amin, torch.amax))
    expected = ((energy - low) / (high - low)).unsqueeze(1).expand_as(before['focus'])
    torch.testing.assert_close(after['focus'], expected)
    pytest.importorskip('captum')
    explain_with(model, 'integrated_gradients')
    with torch.no_grad():
        maps = model.focus(inputs, torch.tensor([[2], [0]]))['focus']
    assert maps.shape == (2, 1, *inputs.shape[1:-1]) and maps.min() >= 0 and maps.max() <= 1
    assert model.map_name == 'integrated gradients'  # as pictures call it
