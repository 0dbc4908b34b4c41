"""Train and test one run in this process with MMEngine's Runner."""

import json
import os
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from torch import Tensor

from stf_mmaction.focus import coverage, entropy, mask_inputs, overlap, present_persons
from stf_mmaction.upstream import tune_malloc

from .conditions import CONDITIONS, with_condition

BATCH = 64  # clips per forward pass in tests
BINS = 15  # of equal width, for the expected calibration error


class CurveHook(Hook):
    """Average each logged value over each epoch.

    Attributes:
        curves (dict[str, list[float]]): Mean of each value for each epoch.
    """

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.curves: Dict[str, List[float]] = {}

    def before_train_epoch(self, runner: Runner) -> None:
        """Discard the values of the previous epoch."""
        self._values: Dict[str, List[float]] = {}

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Collect the values that a step logs."""
        for key, value in (outputs or {}).items():
            self._values.setdefault(key, []).append(float(torch.as_tensor(value).detach()))

    def after_train_epoch(self, runner: Runner) -> None:
        """Append the means of the epoch."""
        for key, values in self._values.items():
            self.curves.setdefault(key, []).append(round(float(np.mean(values)), 4))


def train_and_test(cfg: Config, scores_file: Path) -> Dict[str, Any]:
    """Train a config and test it under every condition.

    Args:
        cfg (mmengine.Config): Config of a run, from :meth:`Run.resolved`.
        scores_file (pathlib.Path): NPZ file to write the probabilities to: one
            array (N, K) per condition, and ``labels`` (N,).

    Returns:
        dict: ``top1`` per condition in %, ``nll``, ``ece``, ``focus``,
        ``curves`` and ``cpu_seconds``.
    """
    start = time.process_time()
    tune_malloc()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir = folder
        # MMEngine's instances are shared by name; short runs may begin in the same second.
        cfg.experiment_name = Path(folder).name
        runner = Runner.from_cfg(cfg)
        curves = CurveHook()
        runner.register_hook(curves)
        model = runner.train()
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            hook.before_test_epoch(runner)  # loads the averaged weights
    model.eval()
    test = cfg.test_dataloader.dataset.to_dict()
    samples = {name: test_samples(test, name) for name in ('clean', *CONDITIONS)}
    scores = {name: predict(model, clips) for name, clips in samples.items()}
    labels = np.array([int(clip['data_samples'].gt_label) for clip in samples['clean']])
    focus = {}
    if hasattr(getattr(model, 'lead', None), 'cls_head'):
        hidden, focus = look(model, samples['clean'])
        scores.update(hidden)
    scores_file.parent.mkdir(parents=True, exist_ok=True)
    partial = scores_file.with_suffix(f'.{os.getpid()}.npz')
    np.savez_compressed(partial, labels=labels, **scores)
    partial.replace(scores_file)  # atomic
    return dict(
        **summary(scores, labels),
        focus=focus,
        curves=curves.curves,
        cpu_seconds=round(time.process_time() - start, 1),
    )


def summary(scores: Dict[str, np.ndarray], labels: np.ndarray) -> Dict[str, Any]:
    """Measure accuracy, likelihood and calibration.

    Args:
        scores (dict[str, numpy.ndarray]): Probabilities (N, K) per condition.
        labels (numpy.ndarray): Shape (N,).

    Returns:
        dict: ``top1`` per condition in %; ``nll`` and ``ece`` of the clean
        clips.
    """
    right = {name: s.argmax(1) == labels for name, s in scores.items()}
    clean = scores['clean']
    own = clean[np.arange(len(labels)), labels].clip(1e-12)
    return dict(
        top1={name: round(100 * float(r.mean()), 3) for name, r in right.items()},
        nll=round(float(-np.log(own).mean()), 4),
        ece=round(calibration_error(clean.max(1), right['clean']), 4),
    )


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Compute the expected calibration error over bins of equal width.

    ECE = sum over bins of n_b / N |accuracy_b - confidence_b| (Guo et al.,
    "On Calibration of Modern Neural Networks", ICML 2017, Eq. 3).

    Args:
        confidence (numpy.ndarray): Probability of the predicted class, (N,).
        right (numpy.ndarray): Whether it is the true class, (N,).
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs((right[bins == b] - confidence[bins == b]).sum()) for b in range(BINS)]
    return float(sum(gaps) / len(right))


@lru_cache(maxsize=64)
def _test_samples(dataset: str, condition: str) -> List[Dict]:
    content = json.loads(dataset)
    content['pipeline'] = with_condition(content['pipeline'], condition)
    clips = DATASETS.build(content)
    return [clips[i] for i in range(len(clips))]


def test_samples(dataset: Dict, condition: str) -> List[Dict]:
    """Return the clips that the test pipeline prepares, cached for the runs of this process.

    Args:
        dataset (dict): Config of the test set.
        condition (str): See :func:`with_condition`.
    """
    return _test_samples(json.dumps(dataset, sort_keys=True), condition)


@torch.no_grad()
def predict(model: torch.nn.Module, samples: List[Dict]) -> np.ndarray:
    """Return the probabilities of the classes.

    Args:
        model (torch.nn.Module): A recognizer in evaluation mode.
        samples (list[dict]): N clips, from :func:`test_samples`.

    Returns:
        numpy.ndarray: Shape (N, K).
    """
    scores = []
    for start in range(0, len(samples), BATCH):
        batch = pseudo_collate(samples[start : start + BATCH])
        scores += [sample.pred_score.cpu().numpy() for sample in model.test_step(batch)]
    return np.stack(scores)


@torch.no_grad()
def look(model: torch.nn.Module, samples: List[Dict]) -> tuple:
    """Measure the focus, and classify clips in which it is hidden.

    Args:
        model (torch.nn.Module): ``STFRecognizer`` or ``STFEnsemble``.
        samples (list[dict]): N clean test clips.

    Returns:
        tuple: Probabilities (N, K) of X - Q * X (``focus_hidden``) and of the
        same masks with their joints permuted (``permuted_hidden``); and means
        of coverage, entropy and the overlap of the two most probable classes.
    """
    hidden: Dict[str, List[np.ndarray]] = dict(focus_hidden=[], permuted_hidden=[])
    measures: Dict[str, List[Tensor]] = dict(coverage=[], entropy=[], overlap=[])
    device = next(model.parameters()).device
    for start in range(0, len(samples), BATCH):
        clips = torch.stack([s['inputs'][0] for s in samples[start : start + BATCH]])
        clips = clips.to(device).float()
        present = present_persons(clips)
        first, second = model.focus(clips)['focus'].unbind(1)
        measures['coverage'].append(coverage(first, present))
        measures['entropy'].append(entropy(first, present))
        measures['overlap'].append(overlap(first, second, present))
        order = torch.from_numpy(np.random.RandomState(0).permutation(first.shape[-1]))
        for name, mask in (('focus_hidden', first), ('permuted_hidden', first[..., order])):
            masked = mask_inputs(clips, mask)
            hidden[name].append(model.focus(masked)['scores'].cpu().numpy())
    return (
        {name: np.concatenate(parts) for name, parts in hidden.items()},
        {name: round(float(torch.cat(parts).mean()), 4) for name, parts in measures.items()},
    )
