"""Monitor the focus during training."""

from typing import Dict, List, Optional, Sequence

import numpy as np
import torch
from mmaction.registry import DATASETS, HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from stf_mmaction.datasets.clip_view import view_clips
from stf_mmaction.focus import coverage, distance, entropy, overlap
from stf_mmaction.models.recognizers.results import ModuleFocus
from stf_mmaction.upstream import dataset_of_loader
from stf_mmaction.visualization.still import FocusFigure

from .comparisons import own_inputs
from .inference import (
    check_knows_focus,
    class_names_of,
    clip_to_draw,
    focus_of_inputs,
    prepare,
    with_verdict,
)
from .sanity_hooks import unwrapped


@HOOKS.register_module()
class FocusMonitorHook(Hook):
    """Log pictures and statistics of the focus every n epochs.

    They go to every backend of the visualizer (local files, TensorBoard, ...),
    as ``focus/<member>/entropy`` and so on: ``entropy`` and ``coverage`` for
    the most probable class, ``overlap`` with the second class (which divergence
    lowers), ``coherence``, the distance between the last two modules, and
    ``adjacency_1`` ..., the distance between the focus and beta of each STF
    module. See :mod:`stf_mmaction.focus.measures`.

    Args:
        interval (int): n. Defaults to 5.
        num_clips (int): Number of clips of the validation data, always the
            same, spread evenly over it. Defaults to 4.
        pictures (bool): Whether to draw them, too. Defaults to True.

    Raises:
        ValueError: If a number is below 1.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 5, num_clips: int = 4, pictures: bool = True) -> None:
        for name, value in (('interval', interval), ('num_clips', num_clips)):
            if value < 1:
                raise ValueError(f'{name}={value} of FocusMonitorHook must be at least 1')
        self.interval = interval
        self.num_clips = num_clips
        self.pictures = pictures
        self._watched: Optional[WatchedClips] = None

    def before_train(self, runner: Runner) -> None:
        """Check that the model and the validation data can be monitored.

        Raises:
            ValueError: If the model cannot compute the focus, or the config has
                no validation data.
        """
        check_knows_focus(unwrapped(runner))
        if dataset_of_loader(runner, 'val') is None:
            raise ValueError(
                'FocusMonitorHook monitors clips of val_dataloader, which the config lacks: add it'
            )

    @master_only
    def after_train_epoch(self, runner: Runner) -> None:
        """Log the focus of the fixed clips."""
        if not (self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)):
            return
        model = unwrapped(runner)
        training, epoch = model.training, runner.epoch + 1
        # This must not affect the training: no statistics, gradients or random numbers change.
        gpus = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(gpus):
            model.eval()
            try:
                if self._watched is None:
                    self._watched = WatchedClips(model, self._dataset(runner), self.num_clips)
                scalars = focus_scalars(model, self._watched.inputs)
                image = self._watched.draw(model) if self.pictures else None
            finally:
                model.train(training)
        runner.visualizer.add_scalars(scalars, step=epoch)
        if image is not None:
            runner.visualizer.add_image('focus', image, step=epoch)

    @staticmethod
    def _dataset(runner: Runner):
        source = dataset_of_loader(runner, 'val')
        return view_clips(DATASETS.build(source) if isinstance(source, dict) else source)


class WatchedClips:
    """A few clips, prepared once.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``.
        dataset (SkeletonDataset): The clips are spread evenly over it.
        count (int): Largest number of clips.

    Attributes:
        inputs (list[torch.Tensor]): Inputs of each clip, shape (num_clips, M,
            T, V, C).
    """

    def __init__(self, model: nn.Module, dataset, count: int) -> None:
        self._names = class_names_of(model, dataset)
        count = min(count, len(dataset))
        infos = [dataset.get_data_info(i * len(dataset) // count) for i in range(count)]
        self._labels = [int(info['label']) for info in infos]
        self._drawn = [clip_to_draw(info) for info in infos]  # the pipeline changes its input
        prepared = [prepare(model, dataset.pipeline, info) for info in infos]
        self.inputs = [inputs for inputs, _ in prepared]
        self._sources = [source for _, source in prepared]
        self._figure: Optional[FocusFigure] = None

    def draw(self, model: nn.Module) -> np.ndarray:
        """Draw the focus of each clip, for the class that a model predicts.

        Args:
            model (nn.Module): In evaluation mode.

        Returns:
            numpy.ndarray: RGB, uint8, shape (height, width, 3).
        """
        clips = []
        for drawn, label, inputs, source in zip(
            self._drawn, self._labels, self.inputs, self._sources
        ):
            found = focus_of_inputs(model, inputs, source)
            clip = drawn._replace(focus=found.focus[0].numpy())
            predicted = int(found.classes[0])
            clips.append(with_verdict(clip, label, predicted, found.scores.numpy(), self._names))
        if self._figure is None:
            self._figure = FocusFigure(clips, model.lead.layout)
        else:
            self._figure.update(clips)
        return self._figure.pixels()


def focus_scalars(model: nn.Module, clips: Sequence[Tensor]) -> Dict[str, float]:
    """Compute the statistics that :class:`FocusMonitorHook` logs.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``, in evaluation
            mode.
        clips (Sequence[torch.Tensor]): Inputs, shape (num_clips, M, T, V, C).

    Returns:
        dict[str, float]: Means over the clips.
    """
    alike = all(inputs.shape[1:] == clips[0].shape[1:] for inputs in clips)
    batches = [torch.cat(list(clips))] if alike else clips
    members: Dict[Optional[str], nn.Module] = {None: model}
    if hasattr(model, 'members'):
        members = model.leads if model.baseline else dict(model.members.items())
    scalars: Dict[str, float] = {}
    for name, member in members.items():
        prefix = f'focus/{name}' if name else 'focus'
        found: Dict[str, List[Tensor]] = {}
        for inputs in batches:
            inputs = own_inputs(model, inputs) if name is None else model.stream_of(name, inputs)
            for key, values in _measures(member.module_focus(inputs)).items():
                found.setdefault(key, []).append(values)
        for key, values in found.items():
            scalars[f'{prefix}/{key}'] = float(torch.cat(values).mean())
    return scalars


def _measures(focus: ModuleFocus) -> Dict[str, Tensor]:
    """Return the numbers of each clip, shape (N,)."""
    first, present = focus.first, focus.present
    out = dict(
        entropy=entropy(first, present),
        coverage=coverage(first, present),
        overlap=overlap(first, focus.second, present),
    )
    if focus.lower is not None:
        out['coherence'] = distance(focus.last, focus.lower, present)
    for number, embedding in enumerate(focus.embeddings, 1):
        out[f'adjacency_{number}'] = distance(embedding, first, present)
    return out
