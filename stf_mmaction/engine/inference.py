"""Classify one clip and compute its focus, without a Runner."""

import traceback
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.dataset import Compose
from torch import Tensor, nn

import stf_mmaction
from stf_mmaction.datasets.frame_mapping import Source, TracedInputs, trace
from stf_mmaction.datasets.persons import dropped_persons
from stf_mmaction.visualization import FocusedClip
from stf_mmaction.visualization.style import shown

from .loading import (
    build_test_dataset,
    check_device,
    class_names_of,
    load_model,
    num_classes_of,
)

__all__ = [
    'ClassFocus',
    'Prediction',
    'build_test_dataset',
    'check_device',
    'check_knows_focus',
    'class_names_of',
    'clip_to_draw',
    'focus_of_classes',
    'focus_of_clip',
    'focus_of_inputs',
    'load_model',
    'num_classes_of',
    'predict',
    'prepare',
    'with_map',
    'with_remark',
    'with_verdict',
]

PART = 45  # characters of a name in a title


def check_knows_focus(model: nn.Module) -> None:
    """Raise a ValueError if a model cannot compute the focus."""
    if not hasattr(model, 'focus'):
        raise ValueError(
            f'{type(model).__name__} cannot compute the focus: '
            "use type='STFRecognizer' and cls_head "
            "type='STFHead', their weights are the same"
        )
    if hasattr(model, 'check_focus'):
        model.check_focus()


class Prediction(NamedTuple):
    """Prediction and focus for one clip.

    Attributes:
        label (int): The most probable class.
        scores (torch.Tensor): Probabilities of the classes, shape (K,).
        focus (torch.Tensor): Where the model looks for that class, in [0, 1],
            shape (M, T, V) of the clip itself; zero for persons whom the
            pipeline leaves out.
        left_out (list[int]): These persons.
    """

    label: int
    scores: Tensor
    focus: Tensor
    left_out: List[int]


class ClassFocus(NamedTuple):
    """Prediction for one clip, and its focus for several classes.

    Attributes:
        scores (torch.Tensor): Probabilities of the classes, shape (K,).
        classes (torch.Tensor): The S class indices, shape (S,).
        focus (torch.Tensor): In [0, 1], shape (S, M, T, V) of the clip
            itself; zero for persons whom the pipeline leaves out.
        left_out (list[int]): These persons.
    """

    scores: Tensor
    classes: Tensor
    focus: Tensor
    left_out: List[int]


def focus_of_classes(
    model: nn.Module, pipeline: Compose, clip: Dict, classes: Optional[Sequence[int]] = None
) -> ClassFocus:
    """Compute the focus of a model on one clip, for any classes.

    If the pipeline samples it several times, probabilities and focus are
    means.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``.
        pipeline (Compose): Its test pipeline.
        clip (dict): As in an annotation file.
        classes (Sequence[int], optional): Class indices. Defaults to None, the
            two most probable, in this order.

    Returns:
        ClassFocus: On the CPU.

    Raises:
        ValueError: If the model cannot compute the focus, or its pipeline does
            not accept the clip.
    """
    check_knows_focus(model)
    present = clip['keypoint'].any((1, 2, 3))  # the pipeline may change it
    inputs, source = prepare(model, pipeline, clip)
    found = focus_of_inputs(model, inputs, source, classes)
    return found._replace(left_out=dropped_persons(source.persons, present))


def focus_of_inputs(
    model: nn.Module, inputs: Tensor, source: Source, classes: Optional[Sequence[int]] = None
) -> ClassFocus:
    """Compute the focus as :func:`focus_of_classes` does, of a prepared clip.

    Args:
        model, classes: As in :func:`focus_of_classes`.
        inputs (torch.Tensor): Shape (num_clips, M', T', V, C).
        source (Source): The clip from which they come.

    Returns:
        ClassFocus: ``left_out`` is empty, as the clip itself is not known.
    """
    result = model.focus(inputs)
    scores = result['scores'].mean(0)
    if not scores.isfinite().all():
        raise ValueError(
            f'the scores of clip {source.name or "(no id)"} are not finite: its keypoints '
            'are far from those that the network was trained on, or the network is damaged'
        )
    if classes is None:
        wanted = scores.topk(2).indices
    else:
        wanted = torch.as_tensor(classes, device=scores.device)
    if classes is not None or len(inputs) > 1:  # each has its own two most probable classes
        result = model.focus(inputs, wanted.expand(len(inputs), -1))
    focus = torch.from_numpy(source.lay(result['focus'].float().cpu().numpy()))
    return ClassFocus(scores.float().cpu(), wanted.cpu(), focus, [])


def prepare(model: nn.Module, pipeline: Compose, clip: Dict) -> Tuple[Tensor, Source]:
    """Run a pipeline on one clip.

    Args:
        model, pipeline, clip: As in :func:`focus_of_classes`.

    Returns:
        tuple: The inputs, shape (num_clips, M', T', V, C), on the device of
        the model, and their source.
    """
    name = str(clip.get('frame_dir', ''))
    persons, frames = clip['keypoint'].shape[:2]
    traced = _traced(pipeline, clip)
    data = model.data_preprocessor(dict(inputs=[traced.inputs], data_samples=[traced.data_samples]))
    return data['inputs'][0], Source(0, name, persons, frames, traced.persons, traced.frames)


def predict(model: nn.Module, pipeline: Compose, clip: Dict) -> Prediction:
    """Classify one clip and compute the focus for that class.

    Args:
        model, pipeline, clip: As in :func:`focus_of_classes`.

    Returns:
        Prediction: On the CPU.

    Raises:
        ValueError: As :func:`focus_of_classes`.
    """
    scores, classes, focus, left_out = focus_of_classes(model, pipeline, clip)
    return Prediction(int(classes[0]), scores, focus[0], left_out)


def _traced(pipeline: Compose, clip: Dict) -> TracedInputs:
    """Call ``trace``, and explain errors of MMAction2's transforms in a sentence."""
    shape, scored = clip['keypoint'].shape, 'keypoint_score' in clip
    try:
        return trace(pipeline, clip)
    except (AssertionError, IndexError, ValueError) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        if Path(stf_mmaction.__file__).parent in Path(where.filename).parents:
            raise
        raise ValueError(
            f'the test pipeline does not take keypoints of shape {shape} '
            f'(persons, frames, joints, coordinates) with'
            f'{"" if scored else "out"} keypoint_score, it stops at '
            f'{where.line!r}: give as many persons and coordinates, and '
            'scores or none, as the clips that it was written for'
        ) from error


def focus_of_clip(
    model: nn.Module, dataset, index: int, class_names: Optional[List[str]] = None
) -> FocusedClip:
    """Compute the focus of a model on one clip, for the class that it predicts.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``.
        dataset (SkeletonDataset): The clips.
        index (int): Index of the clip.
        class_names (list[str], optional): For the title. Defaults to None,
            those of :func:`class_names_of`.

    Returns:
        FocusedClip: All persons, in the data's own coordinates.
    """
    info = dataset.get_data_info(index)
    label = int(info['label'])
    drawn = clip_to_draw(info)
    predicted, scores, focus, _ = predict(model, dataset.pipeline, info)
    names = class_names or class_names_of(model, dataset)
    drawn = with_map(drawn, focus, model)
    return with_verdict(drawn, label, predicted, scores.numpy(), names)


def with_map(clip: FocusedClip, focus: Tensor, model: nn.Module) -> FocusedClip:
    """Return a clip with its map, under the name that ``explain_with`` may have set.

    Args:
        clip (FocusedClip): Without one.
        focus (torch.Tensor): Shape (M, T, V).
        model (nn.Module): The model that computed it.
    """
    return clip._replace(focus=focus.numpy(), what=getattr(model, 'map_name', 'focus'))


def with_verdict(
    clip: FocusedClip, label: int, predicted: int, scores: np.ndarray, names: Sequence[str]
) -> FocusedClip:
    """Add the prediction of a network to the title of a clip.

    Args:
        clip (FocusedClip): Titled by its id.
        label (int): Its class, -1 if unknown.
        predicted (int): The predicted class.
        scores (numpy.ndarray): Probabilities of the classes, shape (K,).
        names (Sequence[str]): K names.
    """
    verdict = 'correct' if label == predicted else f'predicted {shown(names[predicted], PART)}'
    return with_remark(clip, label, f'{verdict}, p = {scores[predicted]:.2f}', names)


def with_remark(clip: FocusedClip, label: int, remark: str, names: Sequence[str]) -> FocusedClip:
    """Add the class and a remark to the title of a clip; long names are cut, the remark is not.

    Args:
        clip (FocusedClip): Titled by its id.
        label (int): Its class, -1 if unknown.
        remark (str): Follows in brackets.
        names (Sequence[str]): Of all classes.
    """
    true = 'unlabelled' if label < 0 else shown(names[label], PART)
    return clip._replace(title=f'{shown(clip.title, PART)}: {true} ({remark})')


def clip_to_draw(info: Dict) -> FocusedClip:
    """Return a clip of an annotation file, for pictures, without a focus.

    Args:
        info (dict): Its entry; joints with score 0 were not seen.
    """
    keypoint = np.array(info['keypoint'], dtype=np.float32)
    score = info.get('keypoint_score')
    if score is not None:
        keypoint[np.asarray(score) == 0] = 0
    title = str(info.get('frame_dir', info.get('sample_idx', '')))
    size = info.get('img_shape') if keypoint.shape[-1] == 2 else None
    return FocusedClip(keypoint, np.zeros(keypoint.shape[:3]), title, size and tuple(size))
