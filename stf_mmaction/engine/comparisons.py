"""Compute focus maps of the same clip, to be drawn side by side."""

from typing import List, Tuple

from torch import Tensor, nn

from stf_mmaction.focus import resize_focus
from stf_mmaction.visualization import FocusedClip
from stf_mmaction.visualization.style import shown

from .inference import PART, check_knows_focus, clip_to_draw, prepare, with_remark

COMPARISONS = ('classes', 'modules', 'members')


def compare_focus(
    model: nn.Module, dataset, index: int, class_names: List[str], what: str
) -> List[FocusedClip]:
    """Compute two or more focus maps of one clip.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``.
        dataset (SkeletonDataset): The clips.
        index (int): Index of the clip.
        class_names (list[str]): K names.
        what (str): ``'classes'``, the two most probable, which divergence
            separates; ``'modules'``, the last two, which coherence brings
            together; ``'members'``, those of an ensemble, for the class that
            it predicts.

    Returns:
        list[FocusedClip]: The same clip with each focus.

    Raises:
        ValueError: If the model has no such maps.
    """
    check_knows_focus(model)
    info = dataset.get_data_info(index)
    drawn, label = clip_to_draw(info), int(info['label'])
    inputs, source = prepare(model, dataset.pipeline, info)
    maps = dict(classes=_classes, modules=_modules, members=_members)[what](
        model, inputs, class_names
    )
    return [
        with_remark(
            drawn._replace(focus=source.lay(focus[:, None].float().cpu().numpy())[0]),
            label,
            remark,
            class_names,
        )
        for remark, focus in maps
    ]


def _classes(model: nn.Module, inputs: Tensor, names: List[str]) -> List[Tuple[str, Tensor]]:
    scores = model.focus(inputs)['scores'].mean(0)
    top = scores.topk(2).indices
    focus = model.focus(inputs, top.expand(len(inputs), -1))['focus']
    return [
        (f'focus for {shown(names[label], PART)}, p = {scores[label]:.2f}', focus[:, rank])
        for rank, label in enumerate(top.tolist())
    ]


def _modules(model: nn.Module, inputs: Tensor, names: List[str]) -> List[Tuple[str, Tensor]]:
    lead = model.lead
    found = lead.module_focus(own_inputs(model, inputs))
    if found.lower is None:
        raise ValueError(
            f'{type(lead.backbone).__name__} does not name its last two modules: set '
            'focus_layers=(lower, last) of the STFRecognizer'
        )
    label = shown(names[int(found.classes[0, 0])], PART)
    maps = [resize_focus(focus, inputs.shape[2]) for focus in (found.lower, found.last)]
    titles = (f'module before the last, for {label}', f'last module, for {label}')
    return list(zip(titles, maps))


def _members(model: nn.Module, inputs: Tensor, names: List[str]) -> List[Tuple[str, Tensor]]:
    members = dict(getattr(model, 'members', None) or {})
    if len(members) < 2:
        raise ValueError(
            f'{type(model).__name__} has no members to compare: use an STFEnsemble, '
            'which the stf_* configs have'
        )
    label = model.focus(inputs)['scores'].mean(0).argmax()
    classes = label.expand(len(inputs), 1)
    return [
        (
            f'member {name}, focus for {shown(names[int(label)], PART)}',
            member.focus(model.stream_of(name, inputs), classes)['focus'][:, 0],
        )
        for name, member in members.items()
    ]


def own_inputs(model: nn.Module, inputs: Tensor) -> Tensor:
    """Return the part of the inputs that the lead of a model reads.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``.
        inputs (torch.Tensor): Shape (..., C).
    """
    if not hasattr(model, 'members'):
        return inputs
    return model.stream_of(next(iter(model.members)), inputs)
