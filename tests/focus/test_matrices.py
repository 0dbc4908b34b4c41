"""Fixed matrices over time against PyTorch's operators."""

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from stf_mmaction.focus.matrices import (
    bin_means,
    bin_means_of_operators,
    interpolation,
    on_device_of,
)


@pytest.mark.parametrize('frames,out', [(1, 5), (5, 1), (3, 8), (8, 3), (75, 300), (4, 4)])
def test_interpolation(frames, out):
    x = torch.randn(2, 3, frames, dtype=torch.float64)
    expected = F.interpolate(x, out, mode='linear', align_corners=False)
    torch.testing.assert_close(x @ on_device_of(x, interpolation, frames, out).t(), expected)


@pytest.mark.parametrize('frames', [1, 5, 8, 11, 300])
def test_bin_means(frames):
    x = torch.randn(2, 3, frames, dtype=torch.float64)
    expected = F.adaptive_avg_pool1d(x, 8)
    torch.testing.assert_close(x @ on_device_of(x, bin_means, frames, 8), expected)
    torch.testing.assert_close(x @ bin_means_of_operators(x, frames, 8), expected)


def test_one_copy_for_all_calls_but_none_of_a_passing_mode():
    x = torch.zeros(1)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert isinstance(on_device_of(torch.zeros(1), bin_means, 17, 8), FakeTensor)
    with torch.inference_mode():
        on_device_of(x, bin_means, 17, 8)
    first = on_device_of(x, bin_means, 17, 8)
    assert type(first) is torch.Tensor and not first.is_inference()
    assert on_device_of(x, bin_means, 17, 8) is first
    assert on_device_of(x.double(), bin_means, 17, 8).dtype == torch.float64
