"""Our networks compute what the published ones compute."""

import pytest
import torch
import torch.nn.functional as F
from helpers.oracle import REFERENCE, build, inputs, published_state_dict

from stf_mmaction.models import convert_msg3d_state_dict

CASES = list(REFERENCE)


def logits_of(model, x):
    return model.cls_head(model.backbone(x))


def expected(case, key):
    return torch.tensor(REFERENCE[case][key], dtype=torch.float64)


@pytest.mark.parametrize('backbone', ['MSG3DBackbone', 'STFGCN'])
@pytest.mark.parametrize('case', CASES)
def test_evaluation(case, backbone):
    """A fresh STFGCN with published weights is the published network."""
    model = build(case, backbone).double().eval()
    with torch.no_grad():
        features = model.backbone.forward_stages(inputs(case)).features
        logits = logits_of(model, inputs(case))
    torch.testing.assert_close(logits, expected(case, 'eval_logits'), rtol=1e-9, atol=1e-9)
    for b, unit in enumerate(('tcn1', 'tcn2', 'tcn3')):
        values = REFERENCE[case].get('eval_features', {}).get(unit)
        if not values:
            continue
        feature = features[2 * b + 1].flatten(0, 1)
        assert list(feature.shape) == values['shape']
        for ours, theirs in ((feature.mean(), values['mean']), (feature.std(), values['std'])):
            assert ours.item() == pytest.approx(theirs, rel=1e-9)
        assert feature.flatten()[:4].tolist() == pytest.approx(values['first'], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize('case', CASES)
def test_evaluation_in_float32(case):
    model = build(case).eval()
    with torch.no_grad():
        logits = logits_of(model, inputs(case).float())
    theirs = expected(case, 'eval_logits')
    assert (logits - theirs).norm() <= 1e-4 * theirs.norm()


def published_gradient_norms(model, case):
    """Norms of our gradients in pieces that have published names.

    Conversion is linear in every weight, so that the gradient of a published
    weight is ours, taken back through the conversion.
    """
    state = {
        name: value.clone().requires_grad_(value.is_floating_point())
        for name, value in published_state_dict(case).items()
    }
    converted = convert_msg3d_state_dict(state)
    ours = dict(model.named_parameters())
    total = sum((converted[name] * parameter.grad).sum() for name, parameter in ours.items())
    total.backward()
    return {
        name: value.grad.norm().item() for name, value in state.items() if value.grad is not None
    }


@pytest.mark.parametrize('backbone', ['MSG3DBackbone', 'STFGCN'])
@pytest.mark.parametrize('case', CASES)
def test_training(case, backbone):
    model = build(case, backbone).double().train()
    logits = logits_of(model, inputs(case))
    loss = F.cross_entropy(logits, torch.tensor(REFERENCE[case]['labels']))
    loss.backward()
    torch.testing.assert_close(
        logits.detach(), expected(case, 'train_logits'), rtol=1e-7, atol=1e-7
    )
    assert loss.item() == pytest.approx(REFERENCE[case]['train_loss'], rel=1e-6)
    if backbone == 'STFGCN':
        return
    norms = published_gradient_norms(model, case)
    listed = REFERENCE[case]['grad_norms']
    assert set(listed) <= set(norms)
    for name, value in listed.items():
        # A bias in front of a batch norm has no gradient but rounding.
        assert norms[name] == pytest.approx(value, rel=1e-6, abs=1e-12), name


@pytest.mark.parametrize('case', CASES)
def test_number_of_parameters(case):
    count = sum(p.numel() for p in build(case).parameters())
    assert count == REFERENCE[case]['params']


def test_stf_gcn_from_a_baseline_is_the_baseline_exactly():
    x = inputs('ntu').float()
    with torch.no_grad():
        for mode in (True, False):
            base = build('ntu').train(mode)
            stf = build('ntu', 'STFGCN', 'STFHead', 'STFRecognizer')
            assert logits_of(stf.train(mode), x).equal(logits_of(base, x))


def test_prefixes_and_wrong_files():
    state = published_state_dict('ntu')
    plain = convert_msg3d_state_dict(state)
    wrapped = convert_msg3d_state_dict({f'module.{name}': value for name, value in state.items()})
    assert plain.keys() == wrapped.keys()
    with pytest.raises(ValueError, match='holds no MS-G3D weights'):
        convert_msg3d_state_dict({'conv1.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match='sgcn2.0.A_res'):
        convert_msg3d_state_dict({k: v for k, v in state.items() if k != 'sgcn2.0.A_res'})
    with pytest.raises(ValueError, match='unknown entries.*extra'):
        convert_msg3d_state_dict({**state, 'extra.weight': torch.zeros(1)})
