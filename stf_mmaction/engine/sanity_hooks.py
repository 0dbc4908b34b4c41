"""Check data, network and checkpoint before a run starts."""

from typing import Dict, List

import torch
from mmaction.registry import HOOKS
from mmengine.dataset import InfiniteSampler
from mmengine.dist import all_gather
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader, Dataset

from stf_mmaction.datasets.class_names import find_class_names
from stf_mmaction.upstream import built_loop, check_sliced, is_resumed, loaded_path

from .checkpoint_paths import confine_paths
from .provenance import check_classes, check_provenance
from .weights import fit_weights


def unwrapped(runner: Runner) -> nn.Module:
    """Return the model of a runner without its DDP wrapper."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model


def num_classes_of(model: nn.Module) -> int:
    """Return K of a recognizer or an ensemble."""
    return getattr(model, 'lead', model).cls_head.num_classes


def dataset_meta(checkpoint: Dict) -> Dict:
    """Return what a checkpoint records about its data, such as ``classes``."""
    meta = checkpoint.get('meta')
    known = meta.get('dataset_meta') if isinstance(meta, dict) else None
    return dict(known) if isinstance(known, dict) else {}


def leaf_datasets(dataset: Dataset) -> List[Dataset]:
    """Return the data sets inside RepeatDataset, ConcatDataset, Subset and other wrappers."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if inner == [None]:
        return [dataset]
    return [leaf for part in inner for leaf in leaf_datasets(part)]


@HOOKS.register_module()
class SkeletonCheckHook(Hook):
    """Check that the labels and the shape of the data fit the network.

    Before a training starts, the validation data is checked, too.

    Raises:
        ValueError: Before the first iteration, if they do not fit, or a data
            loader yields no batch.
    """

    def before_train(self, runner: Runner) -> None:
        """Check the training and the validation data."""
        self._check(runner, runner.train_dataloader, 'train_dataloader')
        if built_loop(runner, 'val') is not None:
            self._check(runner, runner.val_dataloader, 'val_dataloader')
            self._tell_overlap(runner)
            self._check_names(runner)

    def before_val(self, runner: Runner) -> None:
        """Check the validation data if nothing is trained."""
        if built_loop(runner, 'train') is None:
            self._check(runner, runner.val_dataloader, 'val_dataloader')

    def before_test(self, runner: Runner) -> None:
        """Check the test data."""
        self._check(runner, runner.test_dataloader, 'test_dataloader')

    def _check(self, runner: Runner, dataloader: DataLoader, name: str) -> None:
        model = unwrapped(runner)
        classes = num_classes_of(model)
        for dataset in leaf_datasets(dataloader.dataset):
            self._check_labels(dataset, classes)
            names = (getattr(dataset, 'metainfo', None) or {}).get('classes')
            if names is not None and len(names) != classes:
                runner.logger.warning(
                    f'{_file(dataset)} names {len(names)} classes, the head has '
                    f'num_classes={classes}: the names are not used'
                )
            if hasattr(model, 'check_input') and len(dataset):
                model.check_input(dataset[0]['inputs'].shape)
        self._check_length(runner, dataloader, name)

    @staticmethod
    def _check_labels(dataset: Dataset, classes: int) -> None:
        label = getattr(dataset, 'max_label', 0)
        if label < classes:
            return
        mend = f'set it to at least {label + 1}'
        if dataset.min_label == 1 and label == classes:
            mend = f'labels count from 0: subtract 1 from all, or {mend}'
        raise ValueError(
            f'{_file(dataset)} has labels up to {label}, but the head '
            f'has num_classes={classes}: {mend}'
        )

    @staticmethod
    def _check_length(runner: Runner, dataloader: DataLoader, name: str) -> None:
        """Refuse a loader whose epochs are empty, endless or of different length in processes."""
        training = name == 'train_dataloader'
        by_epoch = isinstance(built_loop(runner, 'train'), EpochBasedTrainLoop)
        sampler = getattr(dataloader.batch_sampler, 'sampler', dataloader.sampler)
        if isinstance(sampler, InfiniteSampler):
            # It repeats the data until a batch is full.
            if by_epoch or not training:
                raise ValueError(
                    f'{name} never ends with an InfiniteSampler: use a DefaultSampler'
                    f'{", or an IterBasedTrainLoop" * training}'
                )
            return
        # All processes must take part, including those that have batches.
        check_sliced(dataloader, name)
        counts = [int(count) for count in all_gather(torch.tensor(len(dataloader)))]
        if not min(counts):
            clips, batch = len(sampler), dataloader.batch_sampler.batch_size
            if not clips:
                raise ValueError(f'{name} yields no batch: its data set has no clip')
            raise ValueError(
                f'{name} yields no batch: {clips} clips for each process are fewer than '
                f'batch_size={batch}, and drop_last=True drops them; use a smaller batch_size, '
                'or drop_last=False'
            )
        if training and by_epoch and len(set(counts)) > 1:
            raise ValueError(
                f'{name} yields {counts} batches in the processes, which would wait for each '
                'other forever: use round_up=True of the sampler'
            )

    @staticmethod
    def _check_names(runner: Runner) -> None:
        """Refuse validation data with different class names."""
        data = runner.train_dataloader.dataset, runner.val_dataloader.dataset
        train, val = (getattr(dataset, 'metainfo', None) or {} for dataset in data)
        check_classes(train, val, _file(leaf_datasets(data[0])[0]))

    @staticmethod
    def _tell_overlap(runner: Runner) -> None:
        train, val = (
            {
                (_file(dataset), name)
                for dataset in leaf_datasets(loader.dataset)
                for name in getattr(dataset, 'clip_ids', ())
            }
            for loader in (runner.train_dataloader, runner.val_dataloader)
        )
        both = sorted(train & val)
        if both:
            runner.logger.warning(
                f'{len(both)} clips are in the training and in the validation data, the first is '
                f'{both[0][1]}: so the accuracy says nothing about new clips'
            )


def _file(dataset: Dataset) -> str:
    return str(getattr(dataset, 'ann_file', type(dataset).__name__))


@HOOKS.register_module()
class CheckpointCheckHook(Hook):
    """Check that a checkpoint fits the network and the data.

    MMEngine warns if weights are missing or have another shape, and continues
    with random ones. Here, a training that starts from a checkpoint
    (``load_from``) may have a new head, which is logged; a test and a resumed
    training may not.

    Raises:
        ValueError: If weights would stay random, or the checkpoint was trained
            on another stream, layout, preparation or other classes.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: Dict) -> None:
        """Compare a checkpoint with the model, the config and the data."""
        confine_paths(runner, checkpoint)
        path = loaded_path(runner)
        model = unwrapped(runner)
        training = built_loop(runner, 'train') is not None
        starts = training and not is_resumed(runner)
        state, said = fit_weights(model, checkpoint, path, starts)
        said += check_provenance(checkpoint, runner.cfg, path, strict=not starts)
        meta = model.dataset_meta = dataset_meta(checkpoint)
        loop = built_loop(runner, 'train' if training else 'test')
        if loop is not None:
            known = getattr(loop.dataloader.dataset, 'metainfo', None) or {}
            said += check_classes(meta, known, path, strict=not starts)
            if not training:
                names = find_class_names(num_classes_of(model), known, meta)
                named = dict(classes=names) if names else {}
                loop.evaluator.dataset_meta = {**meta, **known, **named}
        for sentence in said:
            runner.logger.info(sentence)
        checkpoint['state_dict'] = state
