"""Eq. (2) against plain loops and autograd, in float64."""

import math

import pytest
import torch
from torch import nn

from stf_mmaction.focus import (
    focus_map,
    gradient_weights,
    last_gradient,
    last_weights,
    lower_weights,
    mean_of_places,
    min_max,
)


@pytest.fixture(autouse=True)
def _float64():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def loop_min_max(raw, present):
    """min-max over the persons present, one number at a time."""
    persons, frames, joints = raw.shape
    values = [
        raw[m, t, v].item()
        for m in range(persons)
        if present[m]
        for t in range(frames)
        for v in range(joints)
    ]
    out = torch.zeros_like(raw)
    if not values or max(values) == min(values):
        return out
    low, high = min(values), max(values)
    for m in range(persons):
        for t in range(frames):
            for v in range(joints):
                if present[m]:
                    out[m, t, v] = (raw[m, t, v] - low) / (high - low)
    return out


def loop_focus(features, weights, present):
    """Q of one clip and class: ReLU(sum_c a_c X_c), then min-max."""
    persons, channels, frames, joints = features.shape
    raw = torch.zeros(persons, frames, joints)
    for m in range(persons):
        for t in range(frames):
            for v in range(joints):
                total = sum(
                    weights[c].item() * features[m, c, t, v].item() for c in range(channels)
                )
                raw[m, t, v] = max(total, 0.0)
    return loop_min_max(raw, present)


def probabilities(features, fc):
    return fc(features.mean((1, 3, 4))).softmax(1)


def autograd_weights(features, fc, classes):
    """a_c by the definition: the mean gradient of p_y."""
    out = []
    for s in range(classes.shape[1]):
        x = features.detach().requires_grad_()
        p = probabilities(x, fc).gather(1, classes[:, s : s + 1]).sum()
        (grad,) = torch.autograd.grad(p, x)
        out.append(grad.mean((1, 3, 4)))
    return torch.stack(out, 1)


@pytest.mark.parametrize('order', [(0, 1, 2, 3, 4), (0, 1, 4, 2, 3)])
def test_the_gradient_of_a_mean_of_places_is_not_written(order):
    shape = (2, 3, 5, 4, 6)
    x = (
        torch.randn([shape[order.index(i)] for i in range(5)], dtype=torch.float64)
        .permute(order)
        .requires_grad_()
    )
    mean = mean_of_places(x)
    loop = torch.stack(
        [
            torch.stack([channel.sum() / (3 * 4 * 6) for channel in clip.unbind(1)])
            for clip in x.unbind()
        ]
    )
    torch.testing.assert_close(mean, loop)
    weight = torch.randn(2, 5, dtype=torch.float64)
    (grad,) = torch.autograd.grad(mean, x, weight)
    torch.testing.assert_close(grad, torch.autograd.grad(loop, x, weight)[0])
    assert [grad.stride(i) for i in (1, 3, 4)] == [0, 0, 0]


def test_a_mean_of_places_does_not_overflow_in_half_precision():
    mean = mean_of_places(torch.full((1, 2, 3, 100, 25), 6e4).half())
    assert mean.dtype == torch.float32
    torch.testing.assert_close(mean, mean.new_full((1, 3), 6e4))


def test_focus_map_is_the_loop():
    features = torch.randn(3, 2, 4, 3, 5)
    weights = torch.randn(3, 2, 4)
    present = torch.tensor([[1, 1], [1, 0], [0, 0]]).bool()
    maps = focus_map(features, weights, present)
    for n in range(3):
        for s in range(2):
            expected = loop_focus(features[n], weights[n, s], present[n])
            torch.testing.assert_close(maps[n, s], expected)
    assert maps[0].max() == 1 and maps[0].min() == 0
    assert maps[1, :, 1].eq(0).all() and maps[2].eq(0).all()


def test_closed_form_is_autograd_up_to_a_positive_factor():
    features, fc = torch.randn(3, 2, 4, 3, 5), nn.Linear(4, 6)
    classes = torch.tensor([[0, 3], [5, 1], [2, 2]])
    logits = fc(features.mean((1, 3, 4)))
    expected = autograd_weights(features, fc, classes)
    true = last_gradient(logits, fc.weight, classes) / (2 * 3 * 5)
    torch.testing.assert_close(true, expected)
    ratio = last_weights(logits, fc.weight, classes) / expected
    assert (ratio > 0).all()
    torch.testing.assert_close(ratio, ratio[..., :1].expand_as(ratio))


def test_closed_form_keeps_its_digits_when_the_network_is_sure():
    weight = torch.randn(3, 4)
    for dtype in (torch.float32, torch.float64):
        logits = torch.tensor([[60.0, 0.0, 1.0]], dtype=dtype)
        weights = last_weights(logits, weight.to(dtype), torch.tensor([[0]]))
        share = 1 / (1 + math.e)
        expected = weight[0] - share * weight[1] - (1 - share) * weight[2]
        torch.testing.assert_close(weights[0, 0], expected.to(dtype), rtol=1e-5, atol=1e-6)
        assert last_gradient(logits, weight.to(dtype), torch.tensor([[0]])).abs().max() > 0


def test_clips_of_which_the_network_is_sure_keep_their_ratios():
    """p (1 - p) of 1e-130 and 1e-174, which float32 cannot hold."""
    weight = torch.randn(2, 4, dtype=torch.float32)
    logits = torch.tensor([[300.0, 0.0], [400.0, 0.0], [310.0, 0.0]], dtype=torch.float32)
    got = last_gradient(logits, weight, torch.zeros(3, 1, dtype=torch.long))
    first, far, second = got[:, 0] / got[0, 0]
    torch.testing.assert_close(first, torch.ones(4, dtype=torch.float32))
    torch.testing.assert_close(second, torch.full((4,), math.exp(-10), dtype=torch.float32))
    assert far.abs().max() < 1e-40


def test_gradient_of_the_focus_passes_through_a_c():
    """d Q / d W and d Q / d X against a double-backward autograd focus."""
    fc = nn.Linear(4, 6)
    features = torch.randn(3, 2, 4, 3, 5, requires_grad=True)
    classes = torch.tensor([[0], [5], [2]])
    probe = torch.randn(3, 1, 2, 3, 5)

    logits = fc(features.mean((1, 3, 4)))
    weights = last_weights(logits, fc.weight, classes)
    ours = torch.autograd.grad(
        (focus_map(features, weights) * probe).sum(), [features, fc.weight], retain_graph=True
    )

    p = probabilities(features, fc).gather(1, classes).sum()
    (grad,) = torch.autograd.grad(p, features, create_graph=True)
    slow = focus_map(features, grad.mean((1, 3, 4)).unsqueeze(1))
    expected = torch.autograd.grad((slow * probe).sum(), [features, fc.weight])
    for a, b in zip(ours, expected):
        torch.testing.assert_close(a, b)
    detached = torch.autograd.grad((focus_map(features, weights.detach()) * probe).sum(), features)[
        0
    ]
    assert (detached - ours[0]).norm() > 1e-3 * ours[0].norm()


@pytest.mark.parametrize('second_order', [True, False])
def test_lower_weights_keep_the_factor_of_each_clip(second_order):
    """Batch norm couples the clips: the gradient is of the sum of p_y."""
    torch.manual_seed(1)
    layer = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Tanh())
    fc = nn.Linear(4, 6)
    lower = torch.randn(6, 3, 3, 5, requires_grad=True)
    view = lower.unflatten(0, (3, 2))
    last = layer(view.flatten(0, 1)).unflatten(0, (3, 2))
    logits = fc(last.mean((1, 3, 4)))
    classes = logits.argmax(1, keepdim=True)
    (expected,) = torch.autograd.grad(
        logits.softmax(1).gather(1, classes).sum(), view, create_graph=True
    )
    expected = expected.mean((1, 3, 4)).unsqueeze(1) * (2 * 3 * 5)
    seed = last_gradient(logits, fc.weight, classes)[:, 0]
    ours = lower_weights(view, last, seed, second_order)
    torch.testing.assert_close(ours, expected)
    assert ours.requires_grad == second_order
    if second_order:
        probe = torch.randn_like(ours)
        for a, b in zip(
            torch.autograd.grad((ours * probe).sum(), layer.parameters(), retain_graph=True),
            torch.autograd.grad((expected * probe).sum(), layer.parameters()),
        ):
            torch.testing.assert_close(a, b)


def test_gradient_weights_of_any_network():
    """a_c is what p_y changes by when channel c rises everywhere."""
    features = torch.randn(3, 2, 4, 3, 5)
    mix, fc = torch.randn(4, 4), nn.Linear(4, 6)
    classes = torch.tensor([[0, 3], [5, 1], [2, 2]])

    def scores(x, mix):
        # No average pooling: each place weighs as much as it says itself.
        y = torch.einsum('nmctv,cd->nmtvd', x, mix).tanh().flatten(1, 3)
        share = y[..., :1].softmax(1)
        return fc((share * y).sum(1)).softmax(1).gather(1, classes)

    def weights(mix, second_order=True):
        x = features.clone().requires_grad_()
        return gradient_weights(scores(x, mix), x, second_order)

    step, ours = 1e-6, weights(mix)
    assert ours.shape == (3, 2, 4)
    for c in range(4):
        raised = torch.zeros(4).index_fill(0, torch.tensor(c), step)
        raised = raised[:, None, None]
        change = scores(features + raised, mix) - scores(features - raised, mix)
        torch.testing.assert_close(
            ours[..., c], change / (2 * step * 2 * 3 * 5), rtol=1e-5, atol=1e-9
        )
    assert ours.requires_grad
    cheap = weights(mix, second_order=False)
    assert cheap.equal(ours) and not cheap.requires_grad
    assert torch.autograd.gradcheck(weights, mix.requires_grad_())


def test_min_max_of_a_constant_map_is_zero_and_passes_no_gradient():
    raw = torch.full((2, 1, 1, 2, 2), 3.0, requires_grad=True)
    out = min_max(raw)
    out.sum().backward()
    assert out.eq(0).all() and raw.grad.eq(0).all()


def test_min_max_is_blind_to_scale_down_to_tiny_numbers():
    raw = torch.rand(1, 1, 1, 3, 4, dtype=torch.float32)
    torch.testing.assert_close(min_max(raw * 1e-20), min_max(raw))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_min_max_of_a_map_of_any_size_has_a_finite_gradient(dtype):
    """Tiny spans keep their values; where 1 / span is large they pass no gradient."""
    shape = torch.tensor([0.0, 0.25, 1.0, 0.5], dtype=dtype).view(1, 1, 1, 2, 2)
    for power in range(-330, 300, 7):
        scale = torch.tensor(10.0, dtype=torch.float64).pow(power).to(dtype)
        if not scale.isfinite():
            continue
        raw = (shape * scale).requires_grad_()
        out = min_max(raw)
        (grad,) = torch.autograd.grad((out * out.detach()).sum(), raw)
        assert out.isfinite().all() and grad.isfinite().all()
        assert grad.abs().max() <= 2 / torch.finfo(dtype).tiny ** 0.5
        if scale > torch.finfo(dtype).tiny * 16:
            torch.testing.assert_close(out, shape)
            passes = scale > torch.finfo(dtype).tiny ** 0.5
            assert bool(grad.any()) == bool(passes)


def test_min_max_gradgradcheck():
    raw = torch.randn(2, 1, 2, 2, 3, requires_grad=True)
    present = torch.tensor([[1, 1], [1, 0]]).bool()
    assert torch.autograd.gradcheck(min_max, (raw, present))
    assert torch.autograd.gradgradcheck(min_max, (raw, present))


def test_half_precision_features_give_float32_maps():
    features = torch.randn(1, 1, 4, 3, 5).bfloat16()
    maps = focus_map(features, torch.randn(1, 1, 4, dtype=torch.float32))
    assert maps.dtype == torch.float32
