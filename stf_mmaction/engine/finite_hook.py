"""Stop a run at the first number that is not finite."""

import math
from typing import Dict, List, Optional, Sequence

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor


@HOOKS.register_module()
class FiniteCheckHook(Hook):
    """Stop at the first loss, weight or score that is not finite.

    A loss is checked after MMEngine's logging has read it, so that there is no
    further wait for the GPU. Weights are checked before a checkpoint is
    written, since no loss follows the last step of a training.

    Raises:
        ValueError: If a number is not finite; it names the clips and the
            iteration.
    """

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[Dict] = None,
        outputs: Optional[Dict] = None,
    ) -> None:
        """Check the loss."""
        known = runner.message_hub.log_scalars.get('train/loss')
        loss = known.current() if known is not None else (outputs or {}).get('loss', 0)
        if math.isfinite(loss):
            return
        bad = [f'{k} {float(v)}' for k, v in (outputs or {}).items() if not math.isfinite(v)]
        rates = {group['lr'] for group in runner.optim_wrapper.optimizer.param_groups}
        raise ValueError(
            f'the loss is not finite in iteration {runner.iter + 1} (epoch {runner.epoch + 1}): '
            f'{", ".join(bad) or loss}; {_describe(data_batch or {})}: lower the learning rate '
            f'({", ".join(f"{rate:g}" for rate in sorted(rates))}), clip gradients '
            '(optim_wrapper.clip_grad), or repair the clips; nothing of this step was saved'
        )

    def before_save_checkpoint(self, runner: Runner, checkpoint: Dict) -> None:
        """Check the weights and running statistics."""
        state = {
            name: value
            for name, value in checkpoint.get('state_dict', {}).items()
            if isinstance(value, Tensor) and value.is_floating_point()
        }
        if not state:
            return
        finite = torch.stack([value.isfinite().all() for value in state.values()])
        if not finite.all():  # one wait for the GPU
            name = list(state)[int((~finite).nonzero()[0])]
            raise ValueError(
                f'{name} is not finite after iteration {runner.iter} (epoch {runner.epoch + 1}), '
                'and the checkpoint is not written: lower the learning rate, or clip gradients '
                '(optim_wrapper.clip_grad)'
            )

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[Dict] = None,
        outputs: Optional[Sequence] = None,
    ) -> None:
        """Check the scores."""
        samples = [s for s in outputs or () if isinstance(s.get('pred_score'), Tensor)]
        if samples and not torch.stack([s.pred_score for s in samples]).isfinite().all():
            bad = [_clip_id(s) for s in samples if not s.pred_score.isfinite().all()]
            raise ValueError(
                f'the scores of {len(bad)} clips are not finite, of {", ".join(bad[:8])}: the '
                'network is damaged, or their keypoints are far from those in training'
            )

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[Dict] = None,
        outputs: Optional[Sequence] = None,
    ) -> None:
        """Check the scores."""
        self.after_val_iter(runner, batch_idx, data_batch, outputs)


def _clip_id(sample) -> str:
    return str(sample.metainfo.get('frame_dir', '(no frame_dir)'))


def _describe(batch: Dict) -> str:
    """Name the clips of a batch, or only those with inputs that are not finite."""
    names = [_clip_id(sample) for sample in batch.get('data_samples', ())]
    inputs: List[Tensor] = list(batch.get('inputs', ()))
    if len(inputs) != len(names) or not names:
        return f'clips of the batch: {", ".join(names) or "unknown"}'
    bad = [name for name, x in zip(names, inputs) if not x.isfinite().all()]
    if bad:
        return f'inputs of these clips are not finite: {", ".join(bad)}'
    sizes = [float(x.abs().amax()) for x in inputs]
    largest = max(range(len(sizes)), key=sizes.__getitem__)
    return (
        f'clips of the batch: {", ".join(names)} '
        f'(the largest input is {sizes[largest]:.3g}, in {names[largest]})'
    )
