"""Build the members of an ensemble and load a baseline's weights into them."""

from typing import Dict, Optional, Sequence, Tuple

from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn


def build_members(
    members: Sequence[Dict], shared: Optional[Dict], streams: Sequence[str]
) -> Tuple[Dict[str, nn.Module], Dict[str, int]]:
    """Build all members for each stream.

    Args:
        members (Sequence[dict]): Configs, see :class:`STFEnsemble`.
        shared (dict, optional): Settings that they have in common.
        streams (Sequence[str]): Names of the streams, which are appended to those of
            the members.

    Returns:
        tuple: The members by name, and the index of the stream that each reads, by
        name.

    Raises:
        ValueError: If two members have one name, or one does not predict probabilities.
    """
    built, part_of = {}, {}
    for part, stream in enumerate(streams):
        for index, member in enumerate(members):
            cfg = Config(dict(shared or {}))
            cfg.merge_from_dict(dict(member))
            cfg = cfg.to_dict()
            name = cfg.pop('name', f'member{index}')
            name = f'{name}_{stream}' if stream else name
            if name in built:
                raise ValueError(
                    f'two members of STFEnsemble are called {name!r}: give each a name of its own'
                )
            built[name], part_of[name] = _build(name, cfg), part
    return built, part_of


def _build(name: str, cfg: Dict) -> nn.Module:
    member = MODELS.build(cfg)
    kind = member.cls_head.average_clips
    if kind != 'prob':
        raise ValueError(
            f'member {name!r} has average_clips={kind!r}, but the '
            "ensemble averages probabilities: use 'prob'"
        )
    return member


def spread_weights(
    state_dict: Dict, prefix: str, members: Sequence[str], streams: Sequence[str]
) -> None:
    """Let the weights of one network load into all members.

    Args:
        state_dict (dict): Changed in place if it belongs to one network.
        prefix (str): Prefix of the names in it.
        members (Sequence[str]): Names of the members.
        streams (Sequence[str]): Names of the streams that they read.

    Raises:
        ValueError: If it belongs to one network and there are several streams.
    """
    parts = (f'{prefix}backbone.', f'{prefix}cls_head.')
    own = [name for name in state_dict if name.startswith(parts)]
    if not own or any(name.startswith(f'{prefix}members.') for name in state_dict):
        return
    if len(streams) > 1:
        raise ValueError(
            'the checkpoint holds one network, but the ensemble reads the streams '
            f'{tuple(streams)}, and all would get the weights of one stream: train without '
            'load_from, or resume a checkpoint of this ensemble'
        )
    for name in own:
        value, tail = state_dict.pop(name), name[len(prefix) :]
        for member in members:
            state_dict[f'{prefix}members.{member}.{tail}'] = value
