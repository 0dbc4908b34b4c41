"""Numbers about a focus, against loops and values computed by hand."""

import math

import pytest
import torch

from stf_mmaction.focus import coverage, distance, entropy, overlap, resize_focus

PRESENT = torch.tensor([[True, True], [True, False], [False, False]])


def maps(seed, frames=5, dtype=torch.float32):
    """Three clips of two persons, four joints."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, 2, frames, 4, generator=generator).to(dtype)


def places(focus, clip):
    """The values of the persons present in a clip, as a list."""
    return [float(q) for m in range(2) if PRESENT[clip, m] for q in focus[clip, m].flatten()]


@pytest.mark.parametrize('clip', range(2))
def test_measures_against_loops(clip):
    first, second = maps(0), maps(1)
    a, b = places(first, clip), places(second, clip)
    total = sum(a)
    h = -sum(q / total * math.log(q / total) for q in a) / math.log(len(a))
    assert entropy(first, PRESENT)[clip] == pytest.approx(h, rel=1e-5)
    share = sum(q >= 0.3 for q in a) / len(a)
    assert coverage(first, PRESENT, 0.3)[clip] == pytest.approx(share)
    common = sum(map(min, a, b)) / sum(map(max, a, b))
    assert overlap(first, second, PRESENT)[clip] == pytest.approx(common, rel=1e-5)
    rms = math.sqrt(sum((p - q) ** 2 for p, q in zip(a, b)) / len(a))
    assert distance(first, second, PRESENT)[clip] == pytest.approx(rms, rel=1e-5)


def test_values_by_hand():
    one = torch.zeros(1, 1, 2, 2)
    one[0, 0, 0, 0] = 1
    half = torch.full((1, 1, 2, 2), 0.5)
    assert entropy(one) == 0 and entropy(half) == 1
    two = one.clone()
    two[0, 0, 1, 1] = 1
    assert entropy(two) == pytest.approx(0.5)  # log 2 / log 4
    assert coverage(one) == 0.25 and coverage(half) == 1
    assert overlap(one, two) == 0.5 and overlap(one, one) == 1
    assert distance(one, two) == 0.5  # sqrt(1 / 4)


def test_nobody_and_nothing_give_zero():
    zero = torch.zeros(3, 2, 5, 4)
    for values in (
        entropy(maps(0), PRESENT)[2:],
        coverage(maps(0), PRESENT)[2:],
        overlap(maps(0), maps(1), PRESENT)[2:],
        distance(maps(0), maps(1), PRESENT)[2:],
        entropy(zero),
        coverage(zero),
        overlap(zero, zero),
        distance(zero, zero),
        entropy(torch.ones(1, 1, 1, 1)),
    ):
        assert (values == 0).all()


@pytest.mark.parametrize('measure', [overlap, distance])
def test_another_length_is_interpolated(measure):
    first, second = maps(0, frames=8), maps(1, frames=2)
    expected = measure(first, resize_focus(second, 8), PRESENT)
    torch.testing.assert_close(measure(first, second, PRESENT), expected)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_long_clips_in_any_precision(dtype):
    long = torch.full((1, 2, 3000, 25), 0.5, dtype=dtype)
    torch.testing.assert_close(entropy(long).double(), torch.ones(1).double(), rtol=1e-4, atol=0)
    assert coverage(long) == 1
    assert overlap(long, long) == 1
    assert distance(long, long) == 0
