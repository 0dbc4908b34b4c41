"""Measures of maps against loops and values by hand."""

import pytest
import torch
from scipy.stats import spearmanr

from stf_mmaction.focus.faithfulness import (
    area,
    perturbation_curve,
    pointing_hits,
    rank_correlation,
    ranks,
)


def test_ranks_count_the_cells_that_are_as_important():
    torch.manual_seed(0)
    maps = torch.rand(3, 2, 4, 5)
    present = torch.tensor([[True, True], [True, False], [False, False]])
    shares = ranks(maps, present)
    for clip in range(3):
        own = maps[clip][present[clip]]
        for person in range(2):
            if not present[clip, person]:
                assert shares[clip, person].isinf().all()
                continue
            for cell, share in zip(maps[clip, person].flatten(), shares[clip, person].flatten()):
                assert share == pytest.approx((own >= cell).sum().item() / own.numel())


@pytest.mark.parametrize('insertion', [False, True])
def test_curves_replace_the_most_important_cells_first(insertion):
    """The class is the first channel's sum, so that a curve is a sum of what is left."""
    torch.manual_seed(1)
    inputs, maps = torch.rand(2, 2, 3, 4, 2), torch.rand(2, 2, 3, 4)
    present = torch.tensor([[True, True], [True, False]])
    reference = torch.full((1, 2, 1, 4, 2), 0.25)

    def scores(x):
        return torch.stack([x[..., 0].sum((1, 2, 3)), x[..., 1].sum((1, 2, 3))], 1)

    classes = torch.tensor([0, 1])
    settings = (scores, inputs, maps, classes, present, reference, 4, insertion)
    curve = perturbation_curve(*settings)
    assert curve.shape == (2, 5)
    for clip in range(2):
        cells = [
            (maps[clip, m, t, v].item(), inputs[clip, m, t, v, classes[clip]].item())
            for m in range(2)
            for t in range(3)
            for v in range(4)
            if present[clip, m]
        ]
        cells.sort(reverse=True)
        absent = inputs[clip][~present[clip]][..., classes[clip]].sum().item()
        for step in range(5):
            first = step * len(cells) // 4
            kept = cells[:first] if insertion else cells[first:]
            gone = len(cells) - len(kept)
            expected = sum(value for _, value in kept) + 0.25 * gone + absent
            assert curve[clip, step].item() == pytest.approx(expected, rel=1e-5)


def test_area_is_that_of_trapezoids():
    curve = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 1, 0], [1, 0.5, 0]])
    torch.testing.assert_close(area(curve), torch.tensor([1.0, 0.25, 0.5, 0.5]))


def test_pointing_at_the_joints_that_act():
    maps = torch.zeros(4, 1, 2, 3)
    maps[0, 0, 1, 2] = maps[1, 0, 0, 0] = 1
    maps[2, 0, 0, 1] = maps[2, 0, 1, 2] = 1  # one of two
    target = torch.tensor([False, False, True]).expand(4, 3)
    hits = pointing_hits(maps, target)
    torch.testing.assert_close(hits, torch.tensor([1, 0, 0.5, 1 / 3]))


def test_rank_correlation_is_spearmans():
    torch.manual_seed(2)
    first, second = torch.rand(2, 3, 2, 4, 5)
    second = second + first
    found = rank_correlation(first, second)
    for a, b, value in zip(first, second, found):
        assert value.item() == pytest.approx(spearmanr(a.flatten(), b.flatten())[0], abs=1e-6)
    torch.testing.assert_close(rank_correlation(first, first**3), torch.ones(3))
    torch.testing.assert_close(rank_correlation(first, -first), -torch.ones(3))
    assert (rank_correlation(first, first * 0) == 0).all()
