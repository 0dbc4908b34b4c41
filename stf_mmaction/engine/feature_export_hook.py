"""Write the features of every test clip while testing."""

from pathlib import Path
from typing import List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import collect_results, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from stf_mmaction.files import check_writable, replacing
from stf_mmaction.focus import mean_of_places

from .inference import class_names_of
from .sanity_hooks import unwrapped


@HOOKS.register_module()
class FeatureExportHook(Hook):
    """Write the pooled features of every test clip, the input of the classifier.

    The file holds ``features`` (N, C), float32, the means over persons, frames
    and joints; those of an ensemble's members are concatenated. It also holds
    ``labels`` (N,), -1 if a clip has several or none, ``ids`` (N,) and
    ``classes`` (K,), the names of the classes.

    Args:
        out (str): The file, ``.npz``.

    Raises:
        ValueError: If the file does not end in .npz.
    """

    def __init__(self, out: Union[str, Path]) -> None:
        self.out = Path(out)
        if self.out.suffix != '.npz':
            raise ValueError(f'out={str(out)!r} must end in .npz')

    def before_test(self, runner: Runner) -> None:
        """Register hooks on the inputs of the heads.

        Raises:
            OSError: If the file cannot be written.
        """
        check_writable(self.out)
        self._rows: List[Tuple[str, int, np.ndarray]] = []
        self._batch: List[Tensor] = []
        model = unwrapped(runner)
        members = model.members.values() if hasattr(model, 'members') else [model]
        self._handles = [m.cls_head.register_forward_pre_hook(self._keep) for m in members]

    def _keep(self, head: nn.Module, inputs: Tuple) -> None:
        self._batch.append(mean_of_places(inputs[0]).float().cpu())

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[dict] = None,
        outputs: Optional[Sequence] = None,
    ) -> None:
        """Keep the features of a batch; for clips sampled several times, the mean.

        Raises:
            ValueError: If the samples do not name their clips.
        """
        features = torch.cat(self._batch, 1).unflatten(0, (len(outputs), -1)).mean(1).numpy()
        self._batch.clear()
        for sample, row in zip(outputs, features):
            name = sample.metainfo.get('frame_dir')
            if name is None:
                raise ValueError(
                    'test samples have no frame_dir, which names their clip: write '
                    "dict(type='PackActionInputs', meta_keys=('frame_dir', ))"
                )
            label = sample.get('gt_label')
            known = label is not None and label.numel() == 1
            self._rows.append((str(name), int(label) if known else -1, row))

    def after_test(self, runner: Runner) -> None:
        """Write the file, from all processes."""
        for handle in self._handles:
            handle.remove()
        dataset = runner.test_dataloader.dataset
        rows = collect_results(self._rows, len(dataset), device='cpu')
        if not is_main_process():
            return
        ids, labels, features = zip(*rows)
        names = class_names_of(unwrapped(runner), dataset)
        arrays = dict(ids=np.array(ids), labels=np.array(labels), features=np.stack(features))
        arrays['classes'] = np.array(names)
        with replacing(self.out) as partial:
            np.savez(partial, **arrays)
        runner.logger.info(f'Wrote the features of {len(ids)} clips to {self.out}')
