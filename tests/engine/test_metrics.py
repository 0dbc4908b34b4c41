"""Accuracies of an ensemble and its members, by values worked out by hand."""

import pytest
import torch

from stf_mmaction.engine.metrics import MemberAccMetric


def sample(label, mean, **members):
    return dict(
        pred_score=torch.tensor(mean),
        gt_label=torch.tensor([label]),
        member_scores={name: torch.tensor(score) for name, score in members.items()},
    )


def evaluated(samples):
    metric = MemberAccMetric(metric_list=('top_k_accuracy', 'mean_class_accuracy'))
    for one in samples:  # batches of one
        metric.process(None, [one])
    result = metric.evaluate(len(samples))
    return {key.removeprefix('acc/'): value for key, value in result.items()}


def test_members_are_counted_apart():
    """Three clips of three classes: 2, 1 and 2 of them are right."""
    result = evaluated(
        [
            sample(0, [0.6, 0.3, 0.1], focus=[0.9, 0.1, 0.0], explore=[0.3, 0.5, 0.2]),
            sample(1, [0.2, 0.7, 0.1], focus=[0.5, 0.4, 0.1], explore=[0.0, 1.0, 0.0]),
            sample(1, [0.5, 0.4, 0.1], focus=[0.6, 0.3, 0.1], explore=[0.3, 0.4, 0.3]),
        ]
    )
    assert result['top1'] == pytest.approx(2 / 3)
    assert result['focus_top1'] == pytest.approx(1 / 3)
    assert result['explore_top1'] == pytest.approx(2 / 3)
    # Mean over the two classes that occur: class 0, then class 1.
    assert result['mean1'] == pytest.approx((1 + 1 / 2) / 2)
    assert result['focus_mean1'] == pytest.approx((1 + 0) / 2)
    assert result['explore_mean1'] == pytest.approx((0 + 1) / 2)


def test_one_network_has_no_members():
    """In the warm-up, only the lead scores: no column of its own."""
    result = evaluated([sample(0, [0.6, 0.4], focus=[0.6, 0.4])])
    assert set(result) == {'top1', 'top5', 'mean1'}
    result = evaluated([dict(pred_score=torch.tensor([0.6, 0.4]), gt_label=torch.tensor([0]))])
    assert result['top1'] == 1
