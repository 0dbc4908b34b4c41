"""A trained model and its test data, without a Runner."""

import traceback
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

import stf_mmaction
from stf_mmaction.datasets.class_names import (
    as_class_names,
    check_class_names,
    find_class_names,
    read_class_names,
)
from stf_mmaction.datasets.clip_view import view_clips
from stf_mmaction.datasets.frame_mapping import Source, TracedInputs, trace
from stf_mmaction.datasets.persons import dropped_persons
from stf_mmaction.visualization import FocusedClip

from .config_file import merge_options, read_config, require
from .provenance import check_provenance
from .sanity_hooks import dataset_meta
from .weights import fit_weights


def check_device(device: Union[str, torch.device]) -> None:
    """Raise a ValueError unless PyTorch can compute on a device.

    Args:
        device (str or torch.device): As PyTorch names it.
    """
    try:
        torch.zeros(1, device=device).item()  # 'meta' holds no numbers
    except (RuntimeError, AssertionError, ImportError) as error:
        why = str(error).partition('\n')[0].rstrip('.')
        raise ValueError(f"device {str(device)!r} cannot be used ({why}): use 'cpu'") from None


def load_model(
    config: Union[str, Config],
    checkpoint: Optional[str],
    device: str = 'cpu',
    cfg_options: Optional[Dict] = None,
) -> Tuple[Config, nn.Module]:
    """Build the model of a config and load its weights.

    Args:
        config (str or Config): Config file, or what it holds.
        checkpoint (str, optional): Checkpoint file or URL. None leaves the
            weights random.
        device (str): Defaults to ``'cpu'``.
        cfg_options (dict, optional): Overrides in the config.
            Defaults to None.

    Returns:
        tuple: The config and the model, in evaluation mode. Its
        ``dataset_meta`` is that of the checkpoint, as in MMEngine's APIs.

    Raises:
        ValueError: If the weights do not fit the model, or were trained on
            another stream, layout or preparation.
    """
    check_device(device)
    cfg = config if isinstance(config, Config) else read_config(config)
    merge_options(cfg, cfg_options)
    require(cfg, 'a network', 'model')
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    model = MODELS.build(cfg.model)
    if checkpoint is not None:
        loaded = CheckpointLoader.load_checkpoint(checkpoint, 'cpu', logger=None)
        state, said = fit_weights(model, loaded, checkpoint)
        for sentence in said + check_provenance(loaded, cfg, checkpoint):
            print_log(sentence, logger='current')
        model.load_state_dict(state, strict=False)
        model.dataset_meta = dataset_meta(loaded)
    return cfg, model.to(device).eval()


def num_classes_of(model: nn.Module) -> int:
    """Return K of a recognizer or an ensemble."""
    return getattr(model, 'lead', model).cls_head.num_classes


def class_names_of(
    model: nn.Module, dataset=None, names: Union[str, Path, Sequence[str], None] = None
) -> List[str]:
    """Return the names of the classes of a model.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``; its
            ``dataset_meta`` may have ``classes``.
        dataset (BaseDataset, optional): Its ``metainfo`` may have
            ``classes``, which come first.
        names (str, Path or Sequence[str], optional): Names, or a text file
            with one per line. Defaults to None, those that are known, or
            ``class 0`` and so on.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If ``names`` does not hold one name per class.
    """
    number = num_classes_of(model)
    if names is not None:
        source = str(names) if isinstance(names, (str, Path)) else 'class_names'
        read = read_class_names(names) if source != 'class_names' else names
        read = as_class_names(list(read), source)
        check_class_names(read, number, source)
        return list(read)
    metas = (getattr(dataset, 'metainfo', None), getattr(model, 'dataset_meta', None))
    known = find_class_names(number, *metas)
    return list(known or (f'class {label}' for label in range(number)))


def build_test_dataset(cfg: Config):
    """Build the test data set of a config.

    Args:
        cfg (mmengine.Config): The config.
    """
    require(cfg, 'this tool', 'test_dataloader')
    return view_clips(DATASETS.build(cfg.test_dataloader.dataset))


def check_knows_focus(model: nn.Module) -> None:
    """Raise a ValueError if a model cannot tell the focus."""
    if not hasattr(model, 'focus'):
        raise ValueError(
            f'{type(model).__name__} cannot compute the focus: '
            "use type='STFRecognizer' and cls_head "
            "type='STFHead', their weights are the same"
        )
    if hasattr(model, 'check_focus'):
        model.check_focus()


class Prediction(NamedTuple):
    """What a model says of a clip.

    Attributes:
        label (int): The likeliest class.
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
    """What a model says of a clip, and where it looks for several classes.

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

    Where the pipeline takes several clips from it, probabilities and focus
    are means.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``.
        pipeline (Compose): Its test pipeline.
        clip (dict): As in an annotation file.
        classes (Sequence[int], optional): Class indices. Defaults to None,
            the two likeliest, the likelier first.

    Returns:
        ClassFocus: On the CPU.

    Raises:
        ValueError: If the model cannot compute the focus, or its pipeline
            does not take the clip.
    """
    check_knows_focus(model)
    present = clip['keypoint'].any((1, 2, 3))  # the pipeline may change it
    inputs, source = prepare(model, pipeline, clip)
    found = focus_of_inputs(model, inputs, source, classes)
    return found._replace(left_out=dropped_persons(source.persons, present))


def focus_of_inputs(
    model: nn.Module, inputs: Tensor, source: Source, classes: Optional[Sequence[int]] = None
) -> ClassFocus:
    """Compute the focus as :func:`focus_of_classes`, of a clip that is prepared.

    Args:
        model, classes: As in :func:`focus_of_classes`.
        inputs (torch.Tensor): Shape (num_clips, M', T', V, C).
        source (Source): Where they come from.

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
    if classes is not None or len(inputs) > 1:  # each has its own two likeliest classes
        result = model.focus(inputs, wanted.expand(len(inputs), -1))
    focus = torch.from_numpy(source.lay(result['focus'].float().cpu().numpy()))
    return ClassFocus(scores.float().cpu(), wanted.cpu(), focus, [])


def prepare(model: nn.Module, pipeline: Compose, clip: Dict) -> Tuple[Tensor, Source]:
    """Run a pipeline on one clip.

    Args:
        model, pipeline, clip: As in :func:`focus_of_classes`.

    Returns:
        tuple: The inputs, shape (num_clips, M', T', V, C), on the device of
        the model, and where they come from.
    """
    name = str(clip.get('frame_dir', ''))
    persons, frames = clip['keypoint'].shape[:2]
    traced = _traced(pipeline, clip)
    data = model.data_preprocessor(dict(inputs=[traced.inputs], data_samples=[traced.data_samples]))
    return data['inputs'][0], Source(0, name, persons, frames, traced.persons, traced.frames)


def predict(model: nn.Module, pipeline: Compose, clip: Dict) -> Prediction:
    """Classify one clip and say where the model looks for that class.

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
    """Call ``trace``, and explain in a sentence where MMAction2's transforms fail."""
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
        index (int): Which clip.
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
    return with_verdict(
        drawn._replace(focus=focus.numpy()), label, predicted, scores.numpy(), names
    )


def with_verdict(
    clip: FocusedClip, label: int, predicted: int, scores: np.ndarray, names: Sequence[str]
) -> FocusedClip:
    """Add to the title of a clip what a network says of it.

    Args:
        clip (FocusedClip): Titled by its id.
        label (int): Its class, -1 if unknown.
        predicted (int): The predicted class.
        scores (numpy.ndarray): Probabilities of the classes, shape (K,).
        names (Sequence[str]): K names.
    """
    verdict = 'correct' if label == predicted else f'predicted {names[predicted]}'
    true = 'unlabelled' if label < 0 else names[label]
    return clip._replace(title=f'{clip.title}: {true} ({verdict}, p = {scores[predicted]:.2f})')


def clip_to_draw(info: Dict) -> FocusedClip:
    """Return a clip of an annotation file, for pictures, with no focus yet.

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
