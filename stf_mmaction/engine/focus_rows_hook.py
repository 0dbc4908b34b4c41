"""Base of the hooks that read the focus of every test clip."""

from typing import Dict, List, Optional, Tuple

import torch
from mmaction.utils import SampleList
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from stf_mmaction.datasets.clip_view import view_clips
from stf_mmaction.datasets.frame_mapping import TracingPipeline
from stf_mmaction.models.recognizers.results import FocusSink

from .focus_file import FocusRow
from .inference import check_knows_focus
from .sanity_hooks import leaf_datasets, unwrapped


class FocusRowsHook(Hook):
    """Pass the focus of every test clip, from the forward pass of the test, to ``add_row``.

    Several such hooks in one test share that pass.
    """

    def before_test(self, runner: Runner) -> None:
        """Make data and model return the contents of a row.

        Raises:
            ValueError: If the model cannot compute the focus.
        """
        model = unwrapped(runner)
        check_knows_focus(model)
        parts = leaf_datasets(runner.test_dataloader.dataset)
        self._views = [view_clips(part) for part in parts]
        self._wrapped: List[Tuple] = []
        first = 0
        for part in parts:
            if not isinstance(part.pipeline, TracingPipeline):
                self._wrapped.append((part, part.pipeline))
                part.pipeline = TracingPipeline(part.pipeline, first)
            first += len(part)
        self._earlier: Optional[FocusSink] = model.focus_sink
        model.focus_sink = self._receive

    def after_test(self, runner: Runner) -> None:
        """Restore data and model."""
        unwrapped(runner).focus_sink = None
        for part, pipeline in self._wrapped:
            part.pipeline = pipeline

    def add_row(self, row: FocusRow) -> None:
        """Receive the results of one clip.

        Args:
            row (FocusRow): The results.
        """
        raise NotImplementedError

    def wants(self, index: int) -> bool:
        """Return whether a clip is needed.

        Args:
            index (int): Its position in the test data.
        """
        return True

    def clip_info(self, index: int) -> Dict:
        """Return a clip of the test data, as in its annotation file.

        Args:
            index (int): Its position, as in a row.
        """
        for view in self._views:
            if index < len(view):
                return view.get_data_info(index)
            index -= len(view)
        raise IndexError(f'the test data has no clip at {index}')

    def _receive(self, samples: SampleList, classes: Tensor, focus: Tensor) -> None:
        """Make rows of a batch; focus is (N, num_clips, S, M, T, V)."""
        scores = torch.stack([s.pred_score.reshape(-1, s.pred_score.shape[-1]) for s in samples])
        scores = scores.float().mean(1).cpu().numpy()
        maps, likeliest = focus.float().cpu().numpy(), classes.cpu().numpy()
        for sample, own, *row in zip(samples, maps, scores, likeliest):
            source, label = sample.source, sample.get('gt_label')
            if self.wants(source.index):
                label = int(label) if label is not None and label.numel() == 1 else -1
                self.add_row(FocusRow(source.index, source.name, label, *row, source.lay(own)))
        if self._earlier is not None:
            self._earlier(samples, classes, focus)
        else:  # no other hook needs it, and the field must not be in dumps
            for sample in samples:
                sample.pop('source')
