"""The weights of STF losses rise with the epochs, whatever a run is resumed from."""

from types import SimpleNamespace

import numpy as np
import pytest
from mmaction.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

from stf_mmaction.engine import LossRampHook
from stf_mmaction.losses import STFAdjacencyLoss, STFDivergenceLoss, STFExplorationLoss


def runner_of(*heads, loop=EpochBasedTrainLoop, max_epochs=10):
    members = [SimpleNamespace(cls_head=SimpleNamespace(**head)) for head in heads]
    model = members[0] if len(members) == 1 else SimpleNamespace(members=dict(enumerate(members)))
    return SimpleNamespace(model=model, max_epochs=max_epochs, train_loop=object.__new__(loop))


def weights(hook, runner, losses, epochs=range(10)):
    found = []
    hook.before_train(runner)
    for runner.epoch in epochs:
        hook.before_train_epoch(runner)
        found.append([loss.loss_weight for loss in losses])
    return np.array(found)


def test_losses_rise_between_two_shares_of_the_training():
    loss = STFDivergenceLoss(loss_weight=0.5)
    hook = HOOKS.build(dict(type='LossRampHook', begin=0.4, end=0.7))
    found = weights(hook, runner_of(dict(loss_divergence=loss, loss_coherence=None)), [loss])
    np.testing.assert_allclose(found[:, 0], [0] * 4 + [1 / 6, 1 / 3] + [0.5] * 4)


def test_every_member_rises_and_adjacency_does_not():
    losses = [STFDivergenceLoss(0.5), STFExplorationLoss(0.1), STFAdjacencyLoss(0.01)]
    runner = runner_of(
        dict(loss_divergence=losses[0], loss_adjacency=losses[2]), dict(loss_exploration=losses[1])
    )
    found = weights(LossRampHook(0, 1), runner, losses)
    np.testing.assert_allclose(found[0], [0.05, 0.01, 0.01])
    np.testing.assert_allclose(found[-1], [0.5, 0.1, 0.01])


def test_a_resumed_run_has_the_same_weights():
    whole, late = STFDivergenceLoss(0.5), STFDivergenceLoss(0.5)
    all_epochs = weights(LossRampHook(0.2, 0.9), runner_of(dict(loss_divergence=whole)), [whole])
    rest = weights(
        LossRampHook(0.2, 0.9), runner_of(dict(loss_divergence=late)), [late], range(6, 10)
    )
    np.testing.assert_array_equal(rest, all_epochs[6:])


@pytest.mark.parametrize('begin, end', [(0.7, 0.4), (0.5, 0.5), (-0.1, 0.5), (0.5, 1.1)])
def test_shares_that_are_not_in_order_are_refused(begin, end):
    with pytest.raises(ValueError, match='must be shares of the training'):
        LossRampHook(begin, end)


def test_a_ramp_of_nothing_is_refused_before_training():
    with pytest.raises(ValueError, match='found none of loss_exploration'):
        LossRampHook(0, 1).before_train(runner_of(dict(loss_exploration=None)))
    runner = runner_of(dict(loss_exploration=STFExplorationLoss(0.1)), loop=IterBasedTrainLoop)
    with pytest.raises(ValueError, match='use an EpochBasedTrainLoop'):
        LossRampHook(0, 1).before_train(runner)
