"""Switch from the warm-up to the STF losses, by the epoch or iteration alone."""

from typing import Dict, Optional

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn

from stf_mmaction.upstream import is_resumed

from .sanity_hooks import unwrapped


@HOOKS.register_module()
class STFPhaseHook(Hook):
    """Train with the classification loss alone during a warm-up, then with the STF losses.

    The phase follows from the epoch or the iteration alone, so that an interrupted run
    resumes in the same phase. During the warm-up, one network is trained, and the others
    get its weights after every iteration. So a checkpoint of the warm-up equals the
    baseline whenever it is saved, and an ``EMAHook`` averages the same weights in all of
    them. When the warm-up ends, momentum is reset.

    Args:
        warmup_epochs (int, optional): Epochs of the warm-up. 0 starts the STF
            losses immediately, for example from the weights of ``load_from``.
            In an ``IterBasedTrainLoop``, an epoch is the length of the
            training data loader. Defaults to None.
        warmup_iters (int, optional): Iterations instead of epochs, in a loop
            of either kind. Defaults to None.
    """

    # Before hooks that save, evaluate or average weights.
    priority = 'HIGH'

    def __init__(
        self, warmup_epochs: Optional[int] = None, warmup_iters: Optional[int] = None
    ) -> None:
        given = [value for value in (warmup_epochs, warmup_iters) if value is not None]
        if len(given) != 1:
            raise ValueError(
                f'warmup_epochs={warmup_epochs} and warmup_iters={warmup_iters}: give one of them'
            )
        if type(given[0]) is not int or given[0] < 0:
            name = 'warmup_iters' if warmup_epochs is None else 'warmup_epochs'
            raise ValueError(f'{name}={given[0]!r} must be 0 or more, a whole number')
        self.warmup_epochs = warmup_epochs
        self.warmup_iters = warmup_iters
        self._log_is_clean = False

    def before_train(self, runner: Runner) -> None:
        """Check the model; exclude idle weights from the optimizer."""
        model = unwrapped(runner)
        if not hasattr(model, 'set_baseline'):
            raise ValueError(
                'STFPhaseHook controls STFEnsemble and STFRecognizer, not '
                f'{type(model).__name__}: remove the hook from custom_hooks'
            )
        # They get zero gradients, which DDP requires; weight decay and momentum would still
        # change them.
        runner.optim_wrapper.optimizer.register_step_pre_hook(lambda *_: _drop_gradients(model))
        if self.warmup_iters is None and isinstance(runner.train_loop, IterBasedTrainLoop):
            length = len(runner.train_dataloader)
            self.warmup_iters = self.warmup_epochs * length
            runner.logger.info(
                f'the warm-up of {self.warmup_epochs} epochs takes {self.warmup_iters} '
                f'iterations, {length} for each epoch'
            )
        by_epoch = self.warmup_iters is None
        last = runner.max_epochs if by_epoch else runner.max_iters
        end = self.warmup_epochs if by_epoch else self.warmup_iters
        if end >= last:
            unit = 'epochs' if by_epoch else 'iterations'
            runner.logger.warning(
                f'the warm-up takes {end} {unit}, but the training only {last}: the STF losses '
                'never start'
            )
        model.set_baseline((runner.epoch if by_epoch else runner.iter) < end)

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the phase by the epoch."""
        if self.warmup_iters is None:
            self._set_phase(runner, runner.epoch, self.warmup_epochs, f'epoch {runner.epoch + 1}')

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[Dict] = None
    ) -> None:
        """Set the phase by the iteration."""
        if self.warmup_iters is not None:
            self._set_phase(runner, runner.iter, self.warmup_iters, f'iteration {runner.iter + 1}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: Dict) -> None:
        """Save the members' own loss scales of float16, so that a run resumes with them."""
        scales = getattr(unwrapped(runner), 'loss_scales', {})
        states = {name: scale.state() for name, scale in scales.items()}
        used = {name: state for name, state in states.items() if state}
        if used:
            checkpoint['loss_scales'] = used

    def after_load_checkpoint(self, runner: Runner, checkpoint: Dict) -> None:
        """Restore the loss scales, if the run is resumed."""
        scales = getattr(unwrapped(runner), 'loss_scales', {})
        if is_resumed(runner):
            for name, state in checkpoint.get('loss_scales', {}).items():
                scales[name].restore(*state)

    @staticmethod
    def _set_phase(runner: Runner, now: int, end: int, place: str) -> None:
        """End the warm-up at its last epoch or iteration, and reset momentum."""
        model = unwrapped(runner)
        if model.baseline != (now < end):
            model.set_baseline(now < end)
        if now == end > 0:
            runner.optim_wrapper.optimizer.state.clear()
            # Gradients of accumulative_counts that do not divide the warm-up.
            runner.optim_wrapper.zero_grad()
            runner.logger.info(f'{place}: the warm-up is over, the STF losses start')

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[Dict] = None,
        outputs: Optional[Dict] = None,
    ) -> None:
        """Copy the weights of the warm-up to all members; end its entries in the log."""
        model = unwrapped(runner)
        if model.baseline:
            if hasattr(model, 'spread_leads'):
                model.spread_leads()
        elif not self._log_is_clean:
            _forget(runner, outputs or {})
            self._log_is_clean = True


def _forget(runner: Runner, outputs: Dict) -> None:
    """Drop losses and accuracies of the warm-up, which are no longer computed.

    MMEngine logs the last values of every name that was ever logged.
    """
    scalars = runner.message_hub.log_scalars
    for name in [key[len('train/') :] for key in scalars if key.startswith('train/')]:
        if name not in outputs and ('loss' in name or name.endswith('_acc')):
            del scalars[f'train/{name}']


def _drop_gradients(model: nn.Module) -> None:
    for parameter in model.unused_parameters():
        parameter.grad = None
