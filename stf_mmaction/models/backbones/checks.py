"""What all backbones check."""

from numbers import Integral
from typing import Any, Optional, Sequence

from stf_mmaction.datasets.layouts import Layout


def check_input(
    shape: Sequence[int], num_person: Optional[int], layout: Layout, in_channels: int
) -> None:
    """Raise a ValueError if data of a shape does not fit a network.

    Args:
        shape (Sequence[int]): (clips, M, T, V, C).
        num_person (int, optional): M, None for any.
        layout (Layout): The skeleton.
        in_channels (int): C.
    """
    persons = shape[1] if num_person is None and len(shape) == 5 else (num_person)
    expected = (persons, layout.num_node, in_channels)
    if len(shape) != 5 or (shape[1], shape[3], shape[4]) != expected:
        raise ValueError(
            f'input of shape {tuple(shape)} does not fit a network for '
            f'{num_person or "any number of"} person(s), {layout.num_node} '
            f'joints and {in_channels} channels: it takes (clips, persons, '
            'frames, joints, channels); change num_person, graph_cfg.layout '
            'or in_channels of the backbone, or the pipeline'
        )
    if shape[2] < 1:
        raise ValueError('input has no frame: a clip needs at least one')


def check_stages(stf_stages: Any, count: int, kind: str = 'blocks') -> None:
    """Raise a ValueError if these are not some of the parts of a network.

    Args:
        stf_stages (Any): What a config says; None for all of them.
        count (int): How many parts there are.
        kind (str): What they are called. Defaults to ``'blocks'``.
    """
    if stf_stages is None:
        return
    if not isinstance(stf_stages, (tuple, list, range)) or not all(
        isinstance(stage, Integral) for stage in stf_stages
    ):
        raise ValueError(
            f'stf_stages={stf_stages!r} is not a tuple of {kind}: use '
            f'numbers from 1 to {count}, such as ({count}, )'
        )
    unknown = sorted(set(stf_stages) - set(range(1, count + 1)))
    if unknown:
        raise ValueError(
            f'stf_stages={tuple(stf_stages)} names {kind} {unknown}: there are 1 to {count}'
        )
