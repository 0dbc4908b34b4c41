"""Which order of channels and joints takes the fewest multiplications."""

from typing import Sequence

from torch import Tensor

from .channels_first import ChannelsFirst
from .clip_product import ClipProduct
from .joints_first import FewChannels, JointsFirst


def clip_product(
    joints: int,
    weight: Tensor,
    adjacency: Tensor,
    stride: int,
    window: int,
    needs: Sequence[bool] = (False, False, False),
) -> ClipProduct:
    """The cheapest order for these shapes; arguments as in ClipProduct."""
    _, channels, in_channels = weight.shape
    rows = window * joints
    # Multiplications per window and scale.
    channels_first = (stride * joints * in_channels + rows**2) * channels
    joints_first = (rows * channels + rows**2) * in_channels
    if joints_first < channels_first:
        kind = FewChannels
    else:
        kind = JointsFirst if window == stride == 1 else ChannelsFirst
    return kind(weight, adjacency, stride, window, needs=needs)
