"""Base of the backbones: the layout, checks of the input, the first batch norm."""

from numbers import Integral
from typing import Dict, Optional, Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

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
    persons = shape[1] if num_person is None and len(shape) == 5 else num_person
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


def check_positive(**numbers: int) -> None:
    """Raise a ValueError that names the first argument that is not a positive integer.

    Args:
        numbers (int): By their names in a config.
    """
    for name, value in numbers.items():
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f'{name}={value!r} must be a whole number, at least 1')


class SkeletonBackbone(BaseModule):
    """The base class of the built-in backbones.

    Args:
        layout (Layout): The skeleton.
        in_channels (int): C of the input.
        num_person (int): M.
        init_cfg (dict or list[dict], optional): As in MMEngine.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self, layout: Layout, in_channels: int, num_person: int, init_cfg: Optional[Dict] = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_positive(in_channels=in_channels, num_person=num_person)
        self.layout = layout
        self.in_channels = in_channels
        self.num_person = num_person
        self.data_bn = nn.BatchNorm1d(num_person * layout.num_node * in_channels)

    def check_input(self, shape: Sequence[int]) -> None:
        """Raise a ValueError if data of a shape does not fit the network.

        Args:
            shape (Sequence[int]): (clips, M, T, V, C).
        """
        check_input(shape, self.num_person, self.layout, self.in_channels)

    def normalize(self, x: Tensor) -> Tensor:
        """Apply batch norm per person, joint and channel, (N, M, T, V, C) -> (N M, V, C, T)."""
        self.check_input(x.shape)
        clips, persons, frames, joints, channels = x.shape
        x = x.permute(0, 1, 3, 4, 2).flatten(1, 3)
        return self.data_bn(x).view(clips * persons, joints, channels, frames)
