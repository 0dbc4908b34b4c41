"""Degenerate clips and saturated networks: finite losses and gradients."""

import pytest
import torch
from helpers.networks import LOSSES, STAR, batch, recognizer, samples, total

DTYPES = [torch.float32, torch.float64]
STGCN = dict(
    type='STFSTGCN',
    graph_cfg=dict(layout=STAR, mode='spatial'),
    in_channels=4,
    base_channels=12,
    num_stages=3,
    inflate_stages=[3],
    down_stages=[],
)


def constant(x):
    """Every joint of every frame at one place."""
    return torch.ones_like(x)


def empty(x):
    """Nobody is in any clip."""
    return torch.zeros_like(x)


def one_empty(x):
    """Nobody is in the first clip."""
    return x.index_fill(0, torch.tensor([0]), 0)


def one_frame(x):
    return x[:, :, :, :1]


def one_joint_moves(x):
    still = x[:, :, :, :1].expand_as(x).clone()
    still[..., 2, :] = x[..., 2, :]
    return still


def one_clip(x):
    return x[:1]


def huge(x):
    return 1e4 * x


def minute(x):
    return 1e-20 * x


CLIPS = [constant, empty, one_empty, one_frame, one_joint_moves, one_clip, huge, minute]


def check(model, x, label='loss'):
    """All losses and all gradients of a step are finite."""
    data = samples([i % model.cls_head.num_classes for i in range(len(x))])
    losses = model(x, data, mode='loss')
    for name, value in losses.items():
        assert torch.as_tensor(value).isfinite().all(), (label, name)
    total(losses).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), (label, name)
    return losses


@pytest.fixture(params=[None, STGCN], ids=['STFGCN', 'STFSTGCN'])
def network(request):
    return lambda **cfg: recognizer(LOSSES, request.param, **cfg)


@pytest.mark.parametrize(
    'dtype,train', [(torch.float32, True), (torch.float64, False)], ids=['float32', 'float64']
)
def test_degenerate_clips(network, dtype, train):
    x = batch(2, frames=4, dtype=dtype)[0]
    torch.manual_seed(0)
    model = network().to(dtype).train(train)
    for change in CLIPS:
        model.zero_grad()
        check(model, change(x), change.__name__)


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
def test_any_number_of_frames(dtype):
    torch.manual_seed(0)
    model = recognizer(LOSSES).to(dtype)
    for frames in (1, 2, 3, 5, 8, 31):
        model.zero_grad()
        check(model, batch(2, frames=frames, dtype=dtype)[0], frames)


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
def test_logits_of_ten_thousand(network, dtype):
    """The network is surer of every clip than the type can hold."""
    torch.manual_seed(0)
    model = network().to(dtype)
    x = batch(2, frames=4, dtype=dtype)[0]
    with torch.no_grad():
        scale = 1e4 / model(x, stage='head', mode='tensor').abs().amax()
        model.cls_head.fc.weight.mul_(scale)
        model.cls_head.fc.bias.mul_(scale)
    losses = check(model, x)
    assert losses['loss_coherence'] > 0


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
def test_equal_logits_and_two_classes(network, dtype):
    x = batch(2, frames=4, dtype=dtype)[0]
    torch.manual_seed(0)
    model = network(classes=2).to(dtype)
    check(model, x, 'two classes')
    model.zero_grad()
    with torch.no_grad():  # the two rows are one: no class is likelier
        model.cls_head.fc.weight[1] = model.cls_head.fc.weight[0]
        model.cls_head.fc.bias.zero_()
    check(model, x, 'equal rows')
    model.zero_grad()
    with torch.no_grad():
        model.cls_head.fc.weight.zero_()
    check(model, x, 'all zero')


@pytest.mark.parametrize('scale', [5.0, 20.0])
def test_weights_far_too_large(scale):
    """Finite losses have finite gradients, however sure the network is.

    Spans of the focus then reach the smallest numbers of float32, whose
    inverses overflow in the layers below.
    """
    x = batch()[0]
    for seed in range(8):
        torch.manual_seed(seed)
        model = recognizer(LOSSES, STGCN)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(scale)
        check(model, x, seed)


def test_a_sure_network_still_learns_coherence():
    """p (1 - p) of 1e-4 or of 1e-174, min-max does not see the difference."""
    grads = []
    for bias in (10.0, 400.0):
        torch.manual_seed(0)
        losses = dict(loss_coherence=LOSSES['loss_coherence'])
        model = recognizer(losses, STGCN, classes=2).eval()
        with torch.no_grad():
            model.cls_head.fc.bias.copy_(torch.tensor([bias, 0.0]))
        loss = model(batch(1)[0], samples([0]), mode='loss')['loss_coherence']
        grads.append(torch.autograd.grad(loss, model.cls_head.fc.weight)[0])
    assert grads[0].abs().max() > 0.1
    torch.testing.assert_close(grads[1], grads[0])
