"""Checks that a run can only fail before it starts."""

from typing import Dict

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch import nn

from .checkpoint_paths import confine_paths
from .provenance import check_classes, check_provenance
from .weights import fit_weights


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
    """Does a checkpoint fit the network, and the data that it is given?

    MMEngine warns where weights are missing or of another shape, and goes on
    with random ones. Here a training that starts from a checkpoint
    (``load_from``) may have a new head, and says so; a test and a resumed
    training may not.

    Raises:
        ValueError: If weights would be left random, or the checkpoint was
            trained on another stream, layout, preparation or other classes.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: Dict) -> None:
        """Compare a checkpoint with the model, the config and the data."""
        confine_paths(runner, checkpoint)
        path = str(runner._load_from or 'the checkpoint')
        model = unwrapped(runner)
        training = isinstance(runner._train_loop, BaseLoop)
        starts = training and not runner._resume
        state, said = fit_weights(model, checkpoint, path, starts)
        said += check_provenance(checkpoint, runner.cfg, path, strict=not starts)
        meta = model.dataset_meta = dataset_meta(checkpoint)
        loop = runner._train_loop if training else runner._test_loop
        if isinstance(loop, BaseLoop):
            known = getattr(loop.dataloader.dataset, 'metainfo', None) or {}
            said += check_classes(meta, known, path, strict=not starts)
            if not training:
                loop.evaluator.dataset_meta = {**meta, **known}
        for sentence in said:
            runner.logger.info(sentence)
        checkpoint['state_dict'] = state
