"""The graph convolution, clip by clip."""

from typing import Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..orders import cheapest_order
from ..shapes import out_frames, pad_frames
from .aggregate_first import AggregateFirst, FewChannels
from .clip_product import NONE, ClipProduct
from .transform_first import TransformFirst

ORDERS = {kind.__name__: kind for kind in (TransformFirst, AggregateFirst, FewChannels)}


def clip_product(
    joints: int,
    weight: Tensor,
    adjacency: Tensor,
    stride: int,
    window: int,
    needs: Sequence[bool] = NONE,
) -> ClipProduct:
    """Return the cheapest order for these shapes; arguments as in :class:`ClipProduct`."""
    kind = ORDERS[cheapest_order(joints, weight, stride, window)]
    return kind(weight, adjacency, stride, window, needs)


def graph_conv(x: Tensor, weight: Tensor, adjacency: Tensor, stride: int, window: int) -> Tensor:
    """Compute :func:`..graph_conv` of tensors of one dtype: (B, T, V, C) -> (B, T', V w, D)."""
    product = clip_product(x.shape[2], weight, adjacency, stride, window)
    frames = out_frames(x.shape[1], stride)
    out = x.new_empty(len(x), frames, adjacency.shape[1], weight.shape[1])
    for n, own in enumerate(out):
        product.forward(x[n], n, own)
    return out


def graph_conv_backward(
    x: Tensor,
    weight: Tensor,
    adjacency: Tensor,
    grad: Tensor,
    stride: int,
    window: int,
    needs: Sequence[bool],
) -> Tuple[Optional[Tensor], ...]:
    """Compute the gradients of x, the weight and the adjacency, where needed.

    Args:
        x, weight, adjacency, stride, window: As in :func:`graph_conv`.
        grad (torch.Tensor): Gradient of the output, shape (B, T', V w, D).
        needs (Sequence[bool]): Which of the three are needed.
    """
    product = clip_product(x.shape[2], weight, adjacency, stride, window, needs)
    grad = grad.contiguous()
    grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
    for n, own in enumerate(grad_x):
        product.backward(x[n], n, pad_frames(grad[n], *product.margins), own)
    return gradients(product, grad_x, needs)


def gradients(
    product: ClipProduct, grad_x: Tensor, needs: Sequence[bool]
) -> Tuple[Optional[Tensor], ...]:
    """Return the gradients of x (B, T, V, C), W and A that are needed, after all clips."""
    return (
        grad_x if needs[0] else None,
        product.grad_weight if needs[1] else None,
        product.grad_adjacency if needs[2] else None,
    )
