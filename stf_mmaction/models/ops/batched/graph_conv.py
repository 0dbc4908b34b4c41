"""The graph convolution of a whole batch."""

from typing import Sequence

from torch import Tensor

from ..orders import cheapest_order
from ..shapes import out_frames
from .aggregate_first import AggregateFirst, FewChannels
from .product import BatchProduct, Gradients
from .transform_first import TransformFirst

ORDERS = {kind.__name__: kind for kind in (TransformFirst, AggregateFirst, FewChannels)}


def batch_product(
    joints: int, weight: Tensor, adjacency: Tensor, stride: int, window: int
) -> BatchProduct:
    """Return the cheapest order for these shapes; arguments as in :class:`BatchProduct`."""
    kind = ORDERS[cheapest_order(joints, weight, stride, window)]
    return kind(weight, adjacency, stride, window)


def graph_conv(x: Tensor, weight: Tensor, adjacency: Tensor, stride: int, window: int) -> Tensor:
    """Compute :func:`..graph_conv` of tensors of one dtype: (B, T, V, C) -> (B, T', V w, D)."""
    product = batch_product(x.shape[2], weight, adjacency, stride, window)
    frames = out_frames(x.shape[1], stride)
    out = x.new_empty(len(x), frames, adjacency.shape[1], weight.shape[1])
    product.forward(x, out)
    return out


def graph_conv_backward(
    x: Tensor,
    weight: Tensor,
    adjacency: Tensor,
    grad: Tensor,
    stride: int,
    window: int,
    needs: Sequence[bool],
) -> Gradients:
    """Compute the gradients of x, the weight and the adjacency, where needed.

    Args:
        x, weight, adjacency, stride, window: As in :func:`graph_conv`.
        grad (torch.Tensor): Gradient of the output, shape (B, T', V w, D).
        needs (Sequence[bool]): Which of the three are needed.
    """
    product = batch_product(x.shape[2], weight, adjacency, stride, window)
    return product.backward(x, grad.contiguous(), needs)
