"""From the baseline to the STF objectives, by the epoch alone."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from .sanity_hooks import unwrapped


@HOOKS.register_module()
class STFPhaseHook(Hook):
    """Warm-up on the baseline objective, then the STF objectives.

    The phase follows from the epoch alone, so that a run that was stopped
    anywhere goes on as if it had not been. During the warm-up one network
    learns and the others are given its weights at the end of every epoch: a
    checkpoint of the warm-up tests as the baseline. When the STF objectives
    begin, momentum starts anew.

    Args:
        warmup_epochs (int): Epochs of the baseline objective. 0 starts from
            the weights at hand, for example those of ``load_from``.
    """

    # Before hooks that save or evaluate.
    priority = 'HIGH'

    def __init__(self, warmup_epochs: int) -> None:
        if warmup_epochs < 0:
            raise ValueError(f'warmup_epochs={warmup_epochs} must be 0 or more')
        self.warmup_epochs = warmup_epochs

    def before_train(self, runner: Runner) -> None:
        """Check the model; keep idle weights out of the optimizer's hands."""
        model = unwrapped(runner)
        if not hasattr(model, 'set_baseline'):
            raise ValueError(
                f'STFPhaseHook drives STFEnsemble and STFRecognizer, not '
                f'{type(model).__name__}: take the hook out of custom_hooks'
            )
        # They get zero gradients for DDP's sake, which weight decay and
        # momentum would act on.
        runner.optim_wrapper.optimizer.register_step_pre_hook(lambda *_: _drop_gradients(model))

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the phase; at the switch, forget the warm-up's momentum."""
        model = unwrapped(runner)
        model.set_baseline(runner.epoch < self.warmup_epochs)
        if runner.epoch == self.warmup_epochs and self.warmup_epochs:
            runner.optim_wrapper.optimizer.state.clear()
            # Of accumulative_counts that do not divide the warm-up.
            runner.optim_wrapper.zero_grad()
            runner.logger.info(
                f'epoch {runner.epoch + 1}: the warm-up is over, the STF objectives begin'
            )

    def after_train_epoch(self, runner: Runner) -> None:
        """Give the warm-up's weights to all members."""
        model = unwrapped(runner)
        if model.baseline and hasattr(model, 'spread_leads'):
            model.spread_leads()


def _drop_gradients(model) -> None:
    for parameter in model.unused_parameters():
        parameter.grad = None
