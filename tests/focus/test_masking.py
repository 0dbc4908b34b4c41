"""Masked pass, resizing and absent persons."""

import pytest
import torch
from torch import nn

from stf_mmaction.focus import frozen_running_stats, mask_inputs, present_persons, resize_focus


def loop_resize(focus, frames):
    """Linear interpolation, align_corners=False, one frame at a time."""
    length = focus.shape[0]
    out = focus.new_zeros(frames, focus.shape[1])
    for t in range(frames):
        place = max((t + 0.5) * length / frames - 0.5, 0)
        left = min(int(place), length - 1)
        right = min(left + 1, length - 1)
        share = place - left
        out[t] = (1 - share) * focus[left] + share * focus[right]
    return out


@pytest.mark.parametrize('length,frames', [(1, 4), (3, 12), (5, 5), (8, 3)])
def test_resize_is_the_loop(length, frames, device):
    focus = torch.rand(2, 3, length, 5, dtype=torch.float64, device=device)
    out = resize_focus(focus, frames)
    assert out.shape == (2, 3, frames, 5)
    for n in range(2):
        for m in range(3):
            torch.testing.assert_close(out[n, m], loop_resize(focus[n, m], frames))


def test_mask_hides_all_channels_alike(device):
    inputs = torch.rand(2, 1, 4, 3, 4, device=device)
    focus = torch.rand(2, 1, 2, 3, device=device)
    full = resize_focus(focus, 4)
    for c in range(4):
        torch.testing.assert_close(mask_inputs(inputs, focus)[..., c], inputs[..., c] * (1 - full))


def test_present_persons(device):
    inputs = torch.zeros(2, 2, 3, 4, 3, device=device)
    inputs[0, 1, 2, 3, 0] = -1
    assert present_persons(inputs).tolist() == [[False, True], [False, False]]


def test_frozen_running_stats_use_the_batch_and_change_nothing(device):
    net = nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3)).to(device)
    x = torch.randn(8, 3, device=device) * 3 + 1
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with frozen_running_stats(net):
        y = net(x)
    torch.testing.assert_close(y.mean(0), torch.zeros_like(y[0]), atol=1e-5, rtol=0)
    for key, value in net.state_dict().items():
        assert value.equal(before[key]), key
    net(x)
    assert not net[0].running_mean.equal(before['0.running_mean'])


def test_frozen_running_stats_in_evaluation_mode_use_the_running_ones():
    net = nn.BatchNorm1d(3).eval()
    net.running_mean.fill_(5)
    x = torch.randn(8, 3)
    expected = net(x)
    with frozen_running_stats(net):
        assert net(x).equal(expected)
