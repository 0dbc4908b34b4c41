"""Fit the weights of a checkpoint to a network, or refuse them."""

import re
from typing import Dict, List, Optional, Tuple

from torch import Tensor, nn

from stf_mmaction.models.convert import convert_msg3d_state_dict

State = Dict[str, Tensor]
PARTS = ('backbone.', 'cls_head.', 'members.')
HINT = 'use the config with which it was trained'


def fit_weights(
    model: nn.Module, checkpoint: Dict, path: str, training: bool = False
) -> Tuple[State, List[str]]:
    """Convert the weights of a checkpoint for a network.

    Published MS-G3D weights are converted. STF modules may be missing, as in a
    baseline; an ensemble also accepts the weights of one network. To start a
    training, the head may be for other classes or missing, STF modules may be
    left out, and a single network gets the first member of an ensemble.

    Args:
        model (nn.Module): ``RecognizerGCN``, ``STFRecognizer`` or
            ``STFEnsemble``.
        checkpoint (dict): A state dict, or a dict with one as ``state_dict``.
        path (str): Named in errors.
        training (bool): Whether a training starts from the weights, instead of
            resuming or testing. Defaults to False.

    Returns:
        tuple: The state dict, and sentences on what is new or left out.

    Raises:
        ValueError: If a weight would stay random or is not used.
    """
    source = checkpoint.get('state_dict', checkpoint)
    state = {
        re.sub(r'^module\.', '', name): value
        for name, value in source.items()
        if isinstance(value, Tensor)
    }
    said = []
    if _is_published(state):
        state = _convert(model, state, path)
        said.append(f'{path} has weights of a published MS-G3D, which were converted')
    own = model.state_dict()
    if training:
        state, member = _one_of_several(own, state)
        if member:
            said.append(f'{path} holds an ensemble, of which the member {member!r} is used')
    if hasattr(model, 'spread_baseline'):
        model.spread_baseline(state, '')
    if training:
        said += _new_head(own, state, path)
        said += _leave_out(own, state, path)
    check_weights(model, state, path)
    return state, said


def check_weights(model: nn.Module, state: State, path: str) -> None:
    """Raise a ValueError if a state dict does not match a model.

    Args:
        model (nn.Module): The model.
        state (dict[str, torch.Tensor]): From :func:`fit_weights`.
        path (str): Named in the error.

    Raises:
        ValueError: If an entry is missing, unknown, not finite or has another
            shape.
    """
    state = dict(state)
    if hasattr(model, 'spread_baseline'):
        model.spread_baseline(state, '')
    every = model.state_dict()
    own = [name for name in every if '.stf_' not in name and not name.endswith('_tracked')]
    missing = [name for name in own if name not in state]
    if missing:
        raise ValueError(
            f'{path} lacks {len(missing)} of the {len(own)} entries of the '
            f'network, the first is {missing[0]}: {_hint(every, state)}'
        )
    for name, value in every.items():
        if name in state and state[name].shape != value.shape:
            raise ValueError(
                f'{path} holds {name} of shape {tuple(state[name].shape)}, '
                f'the network has {tuple(value.shape)}: {_hint(every, state, name)}'
            )
        if name in state and not state[name].isfinite().all():
            raise ValueError(
                f'{path} holds {name} with NaN or infinite numbers: use an earlier checkpoint, '
                'and train with a lower learning rate'
            )
    unknown = [name for name in state if name.startswith(PARTS) and name not in every]
    if unknown:
        raise ValueError(
            f'{path} holds {len(unknown)} entries that the network does not have, the first is '
            f'{unknown[0]}: {_hint(every, state)}'
        )


def _hint(own: State, state: State, name: str = '') -> str:
    members = list(dict.fromkeys(n.split('.')[1] for n in state if n.startswith('members.')))
    if members and not any(name.startswith('members.') for name in own):
        return (
            f'it is from an ensemble with the members {members}, but the config has one network; '
            f'{HINT}'
        )
    if _classes(state) != _classes(own) and None not in (_classes(state), _classes(own)):
        return (
            f'it is for {_classes(state)} classes, the config for {_classes(own)}; {HINT}, or '
            'start a training from it with load_from, which creates a new head'
        )
    if '.data_bn.' in name:
        return (
            'there is one for each person, joint and channel; set num_person, layout and '
            'in_channels of the backbone as in the config with which it was trained'
        )
    if sum(name in state for name in own) < len(own) / 2:
        return f'it is from another network; {HINT}'
    return HINT


def _is_published(state: State) -> bool:
    return any(re.match(r'(backbone\.)?gcn3d1\.', name) for name in state)


def _convert(model: nn.Module, state: State, path: str) -> State:
    norm = 'column' if any(name.endswith('.PA') for name in state) else 'symmetric'
    backbone = getattr(model, 'lead', model).backbone
    own = getattr(backbone, 'adjacency_norm', None)
    if own is None:
        raise ValueError(
            f'{path} holds weights of a published MS-G3D, the network is a '
            f'{type(backbone).__name__}: use MSG3DBackbone or STFGCN'
        )
    if own != norm:
        raise ValueError(
            f'{path} holds weights of an MS-G3D with adjacency_norm={norm!r}, the network has '
            f'{own!r}: set backbone.adjacency_norm={norm!r}'
        )
    return convert_msg3d_state_dict(state)


def _one_of_several(own: State, state: State) -> Tuple[State, Optional[str]]:
    """Take the first member of an ensemble for a single network."""
    members = [name.split('.')[1] for name in state if name.startswith('members.')]
    if not members or any(name.startswith('members.') for name in own):
        return state, None
    start = f'members.{members[0]}.'
    state = {name[len(start) :]: value for name, value in state.items() if name.startswith(start)}
    return state, members[0]


def _new_head(own: State, state: State, path: str) -> List[str]:
    """Keep the new head if that of the checkpoint differs or is missing."""
    theirs = _classes(state)
    new = [
        name
        for name, value in own.items()
        if 'cls_head.' in name and (name not in state or state[name].shape != value.shape)
    ]
    # A layer is new as a whole, even if its bias has the same length by chance.
    layers = {name.rpartition('.')[0] for name in new}
    new = [name for name in own if name.rpartition('.')[0] in layers]
    state.update({name: own[name].detach().clone() for name in new})
    if not new:
        return []
    has = 'no head' if theirs is None else f'{theirs} classes'
    return [
        f'{path} has {has}, the network {_classes(own)} classes: {len(new)} weights are new, '
        f'{", ".join(new)}'
    ]


def _leave_out(own: State, state: State, path: str) -> List[str]:
    """Drop weights that a network without STF modules or with another head does not have."""
    extra = [name for name in state if name not in own and ('.stf_' in name or 'cls_head.' in name)]
    for name in extra:
        del state[name]
    if not extra:
        return []
    return [f'{path}: {len(extra)} weights that the network lacks are left out, {extra[0]} first']


def _classes(state: State) -> Optional[int]:
    """Return K of the head in a state dict, None without a head."""
    return next(
        (len(value) for name, value in state.items() if name.endswith('cls_head.fc.weight')), None
    )
