"""Checks that a run can only fail before it starts."""

from typing import Dict

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch import Tensor, nn

from .checkpoint_paths import confine_paths


def unwrapped(runner: Runner) -> nn.Module:
    """The model of a runner without its DDP wrapper."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model


def dataset_meta(checkpoint: Dict) -> Dict:
    """Return what a checkpoint knows of its data, such as ``classes``."""
    meta = checkpoint.get('meta')
    known = meta.get('dataset_meta') if isinstance(meta, dict) else None
    return dict(known) if isinstance(known, dict) else {}


@HOOKS.register_module()
class SkeletonCheckHook(Hook):
    """Do the labels and the shape of the data fit the network?

    Raises:
        ValueError: If they do not, before the first iteration.
    """

    def before_train(self, runner: Runner) -> None:
        """Check the training data."""
        self._check(runner, runner.train_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Check the test data."""
        self._check(runner, runner.test_dataloader)

    @staticmethod
    def _check(runner: Runner, dataloader) -> None:
        dataset = dataloader.dataset
        while hasattr(dataset, 'dataset'):  # RepeatDataset and the like
            dataset = dataset.dataset
        model = unwrapped(runner)
        classes = getattr(model, 'lead', model).cls_head.num_classes
        label = getattr(dataset, 'max_label', 0)
        if label >= classes:
            raise ValueError(
                f'{dataset.ann_file} has labels up to {label}, but the head '
                f'has num_classes={classes}: set it to at least {label + 1}'
            )
        if hasattr(model, 'check_input'):
            model.check_input(dataset[0]['inputs'].shape)


@HOOKS.register_module()
class CheckpointCheckHook(Hook):
    """Does a checkpoint fit the network?

    MMEngine warns where weights are missing or of another shape, and goes on
    with random ones.

    Raises:
        ValueError: If weights would be left random.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: Dict) -> None:
        """Compare the weights of a checkpoint with those of the model."""
        confine_paths(runner, checkpoint)
        state = checkpoint.get('state_dict', checkpoint)
        meta = unwrapped(runner).dataset_meta = dataset_meta(checkpoint)
        if isinstance(runner._test_loop, BaseLoop):
            evaluator = runner.test_evaluator
            evaluator.dataset_meta = {**meta, **(evaluator.dataset_meta or {})}
        path = runner._load_from or 'the checkpoint'
        model = unwrapped(runner)
        # A frozen backbone may learn other classes than it was trained with.
        new_head = getattr(getattr(model, 'lead', None), 'frozen_backbone', False)
        new_head = new_head and isinstance(runner._train_loop, BaseLoop)
        check_weights(model, state, str(path), new_head)


def check_weights(
    model: nn.Module, state: Dict[str, Tensor], path: str, new_head: bool = False
) -> None:
    """Raise if a state dict does not fill a model.

    STF modules may be missing, as in a baseline's; an ensemble also takes
    the weights of one network.

    Args:
        model (nn.Module): The model.
        state (dict[str, torch.Tensor]): Of a checkpoint.
        path (str): Named in the error.
        new_head (bool): Whether the head may be another one.
            Defaults to False.

    Raises:
        ValueError: If an entry is missing or has another shape.
    """
    state = dict(state)
    if hasattr(model, 'spread_baseline'):
        model.spread_baseline(state, '')
    own = {name: value for name, value in model.state_dict().items() if '.stf_' not in name}
    hint = 'use the config it was trained with, or convert_msg3d_state_dict for published weights'
    missing = [name for name in own if name not in state]
    if missing:
        raise ValueError(
            f'{path} lacks {len(missing)} of the {len(own)} entries of the '
            f'network, the first is {missing[0]}: {hint}'
        )
    for name, value in model.state_dict().items():
        if new_head and 'cls_head.' in name:
            continue
        if name in state and state[name].shape != value.shape:
            raise ValueError(
                f'{path} holds {name} of shape {tuple(state[name].shape)}, '
                f'the network has {tuple(value.shape)}: {hint}'
            )
