"""Write the focus of every test clip while testing."""

from pathlib import Path
from typing import Iterator, List, Sequence, Tuple, Union

import torch
from mmaction.registry import HOOKS
from mmaction.utils import SampleList
from mmengine.dist import barrier, get_dist_info
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from stf_mmaction.datasets.frame_mapping import TracingPipeline

from .focus_file import FocusFile, FocusRow, FocusWriter
from .inference import check_knows_focus, class_names_of
from .sanity_hooks import unwrapped


@HOOKS.register_module()
class FocusExportHook(Hook):
    """Write the focus of the two likeliest classes of every test clip.

    The network runs once: the focus comes from the features of the test. Each
    process writes a file of its own, and the first one joins them. See
    :class:`FocusFile` for what is in it.

    Args:
        out (str): The file, ``.npz``.
        class_names (str or Sequence[str], optional): Names of the classes, or
            a text file with one per line. Defaults to None, the names in the
            annotation file, or ``class 0`` and so on.

    Raises:
        ValueError: If the file does not end in .npz.
    """

    def __init__(
        self, out: Union[str, Path], class_names: Union[str, Sequence[str], None] = None
    ) -> None:
        self.out = Path(out)
        if self.out.suffix != '.npz':
            raise ValueError(f'out={str(out)!r} must end in .npz')
        self.class_names = class_names
        self._wrapped: List[Tuple] = []

    def before_test(self, runner: Runner) -> None:
        """Open the file and let data and model say what it holds.

        Raises:
            ValueError: If the model cannot compute the focus.
        """
        model = unwrapped(runner)
        check_knows_focus(model)
        dataset = runner.test_dataloader.dataset
        self._names = class_names_of(model, dataset, self.class_names)
        rank, _ = get_dist_info()
        self._writer = FocusWriter(self.out if rank == 0 else self._part(rank))
        first = 0
        for part in _parts(dataset):
            self._wrapped.append((part, part.pipeline))
            part.pipeline = TracingPipeline(part.pipeline, first)
            first += len(part)
        model.focus_sink = self._add

    def _part(self, rank: int) -> Path:
        return self.out.with_name(f'{self.out.stem}.rank{rank}.npz')

    def _add(self, samples: SampleList, classes: Tensor, focus: Tensor) -> None:
        """Write a batch; focus is (N, num_clips, S, M, T, V)."""
        scores = torch.stack([s.pred_score.reshape(-1, s.pred_score.shape[-1]) for s in samples])
        scores = scores.float().mean(1).cpu().numpy()
        focus, classes = focus.float().cpu().numpy(), classes.cpu().numpy()
        for sample, maps, *row in zip(samples, focus, scores, classes):
            source, label = sample.pop('source'), sample.get('gt_label')
            label = int(label) if label is not None and label.numel() == 1 else -1
            self._writer.add(FocusRow(source.index, source.name, label, *row, source.lay(maps)))

    def after_test(self, runner: Runner) -> None:
        """Complete the file and leave data and model as they were."""
        unwrapped(runner).focus_sink = None
        while self._wrapped:
            part, pipeline = self._wrapped.pop()
            part.pipeline = pipeline
        rank, processes = get_dist_info()
        if rank > 0:
            self._writer.close(self._names)
        barrier()
        if rank == 0:
            for other in range(1, processes):
                for row in FocusFile(self._part(other)):
                    self._writer.add(row)
                self._part(other).unlink()
            self._writer.close(self._names)
            runner.logger.info(f'Wrote the focus of {len(self._writer)} clips to {self.out}')


def _parts(dataset) -> Iterator:
    """Return data sets with a pipeline, within RepeatDataset, ConcatDataset and so on."""
    if hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from _parts(part)
    elif hasattr(dataset, 'dataset'):
        yield from _parts(dataset.dataset)
    else:
        yield dataset
