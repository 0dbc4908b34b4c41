"""Raise the weights of STF losses during a training."""

from typing import Dict

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn

from .sanity_hooks import unwrapped

LOSSES = ('loss_exploration', 'loss_divergence', 'loss_coherence')


@HOOKS.register_module()
class LossRampHook(Hook):
    """Raise the weights of exploration, divergence and coherence linearly, from 0.

    Small networks do not learn with these losses from the first epoch. On small data a ramp
    replaces the warm-up of :class:`STFPhaseHook`: the learning rate has one schedule, and no
    momentum is reset. The weights follow from the epoch alone, so that an interrupted run
    resumes with the same.

    Args:
        begin (float): Share of the training up to which the weights are zero.
        end (float): Share of the training from which they are full.

    Raises:
        ValueError: If the shares are not in order; before training, if none of the losses is
            on, or the loop counts iterations.
    """

    def __init__(self, begin: float, end: float) -> None:
        if not 0 <= begin < end <= 1:
            raise ValueError(
                f'begin={begin} and end={end} of LossRampHook must be shares of the training, '
                '0 <= begin < end <= 1'
            )
        self.begin, self.end = begin, end
        self._full: Dict[nn.Module, float] = {}

    def before_train(self, runner: Runner) -> None:
        """Store the full weights."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'LossRampHook changes the weights between epochs, which an IterBasedTrainLoop '
                'does not have: use an EpochBasedTrainLoop'
            )
        model = unwrapped(runner)
        members = model.members.values() if hasattr(model, 'members') else [model]
        for member in members:
            for name in LOSSES:
                loss = getattr(getattr(member, 'cls_head', None), name, None)
                if loss is not None:
                    self._full.setdefault(loss, loss.loss_weight)
        if not self._full:
            raise ValueError(
                f'LossRampHook found none of {", ".join(LOSSES)} in {type(model).__name__}: add '
                'one to cls_head, or remove the hook from custom_hooks'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the weights of this epoch from its number."""
        done = (runner.epoch + 1) / runner.max_epochs
        share = (done - self.begin) / (self.end - self.begin)
        for loss, weight in self._full.items():
            loss.loss_weight = weight * min(max(share, 0), 1)
