"""Average the focus of classes over test clips."""

from typing import List, Optional, Sequence, Tuple

import numpy as np
from torch import nn

from stf_mmaction.datasets.selection import ids_and_labels
from stf_mmaction.visualization import FocusedClip
from stf_mmaction.visualization.average import ClassFocus, FocusAverage

from .inference import clip_to_draw, focus_of_classes, with_map


def average_classes(
    model: nn.Module,
    dataset,
    names: Sequence[str],
    labels: Optional[Sequence[int]] = None,
    confused: bool = False,
) -> List[ClassFocus]:
    """Average the focus for each class over its clips.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``.
        dataset (SkeletonDataset): The clips.
        names (Sequence[str]): K names.
        labels (Sequence[int], optional): Classes to average. Defaults to None,
            all that have clips.
        confused (bool): Return only the two that the model confuses most.
            Defaults to False.

    Raises:
        ValueError: If ``confused`` and every clip is classified correctly.
    """

    def look(index: int) -> Tuple[FocusedClip, int]:
        info = dataset.get_data_info(index)
        drawn = clip_to_draw(info)  # the pipeline changes its input
        result = focus_of_classes(model, dataset.pipeline, info, [int(info['label'])])
        return with_map(drawn, result.focus[0], model), int(result.scores.argmax())

    averages = {label: FocusAverage(names[label]) for label in labels or range(len(names))}
    taken_for = np.zeros((len(names), len(names)), int)
    for index, (_, label) in enumerate(ids_and_labels(dataset)):
        if label in averages:
            clip, predicted = look(index)
            averages[label].add(index, clip)
            taken_for[label, predicted] += 1
    if confused:
        averages = {label: averages[label] for label in most_confused(taken_for)}
    return [one.finish(look(one.typical)[0]) for one in averages.values() if len(one)]


def most_confused(taken_for: np.ndarray) -> List[int]:
    """Return the two classes that are confused most.

    Args:
        taken_for (numpy.ndarray): Counts of clips, [true, predicted], (K, K).

    Raises:
        ValueError: If there is no mistake.
    """
    wrong = np.triu(taken_for + taken_for.T, 1)
    if not wrong.any():
        raise ValueError(
            'every test clip is classified correctly, so that no classes are confused: choose two '
            'by --class'
        )
    return [int(label) for label in np.unravel_index(wrong.argmax(), wrong.shape)]
