"""Graph convolution, batch norm, ReLU and collapse of windows, for a whole batch.

Only the convolution's result z is kept for the backward pass.
"""

from typing import List, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..shapes import channels_second
from .graph_conv import batch_product, graph_conv


def window_conv(
    x: Tensor, conv: Tuple, norm: Tuple[Tensor, Tensor, float], linear: Tuple[Tensor, Tensor]
) -> Tuple[Tensor, List[Tensor], Tensor, Tensor]:
    """Compute :func:`..window_conv`.

    Args:
        x (torch.Tensor): Shape (B, T, V, C).
        conv (tuple): Weight, adjacency, stride and window, as in :func:`.graph_conv`.
        norm (tuple): gamma (D,), beta (D,) and eps.
        linear (tuple[torch.Tensor]): Weight (E, w D) and bias (E,) of the collapse.

    Returns:
        tuple: Features (B, T', V, E); z (B, T', V w, D) for the backward pass; its mean and
        variance over the batch, each (D,).
    """
    gamma, beta, eps = norm
    z = graph_conv(x, *conv)
    y, mean, inverse = torch.empty_like(z), torch.empty_like(gamma), torch.empty_like(gamma)
    torch.native_batch_norm(
        channels_second(z),
        gamma,
        beta,
        None,
        None,
        True,
        0.0,
        eps,
        out=(channels_second(y), mean, inverse),
    )
    variance = inverse.pow(-2).sub_(eps)
    return _collapse(y.relu_(), x.shape[2], linear), [z], mean, variance


def window_conv_folded(
    x: Tensor,
    weight: Tensor,
    adjacency: Tensor,
    bias: Tensor,
    collapse: Tensor,
    collapse_bias: Tensor,
    stride: int,
    window: int,
) -> Tensor:
    """Compute :func:`..window_conv_folded`, (B, T, V, C) -> (B, T', V, E); tensors of one dtype."""
    z = graph_conv(x, weight, adjacency, stride, window)
    return _collapse(z.add_(bias).relu_(), x.shape[2], (collapse, collapse_bias))


def _collapse(y: Tensor, joints: int, linear: Tuple[Tensor, Tensor]) -> Tensor:
    """Map (B, T', V w, D) -> (B, T', V, E)."""
    return F.linear(y.view(*y.shape[:2], joints, -1), *linear)


def window_conv_backward(
    x: Tensor,
    conv: Tuple,
    norm: Tuple[Tensor, Tensor, float],
    collapse: Tensor,
    kept: Sequence[Tensor],
    mean: Tensor,
    variance: Tensor,
    grad: Tensor,
    needs: Sequence[bool],
) -> Tuple[Tuple, Tuple, Tuple]:
    """Compute the gradients of :func:`window_conv`.

    Args:
        x, conv, norm: As there.
        collapse (torch.Tensor): Weight of the collapse, shape (E, w D).
        kept, mean, variance: Results of :func:`window_conv`.
        grad (torch.Tensor): Gradient of the features, shape (B, T', V, E).
        needs (Sequence[bool]): Whether x, the weight and the adjacency need a gradient.

    Returns:
        tuple: Gradients of (x, weight, adjacency), of (gamma, beta) and of the collapse
        (weight, bias).
    """
    gamma, beta, eps = norm
    (z,) = kept
    rows = grad.reshape(-1, grad.shape[3])
    y = F.batch_norm(channels_second(z), mean, variance, gamma, beta, False, 0.0, eps)
    y = y.permute(0, 2, 3, 1).relu_()
    of_collapse = rows.t() @ y.reshape(len(rows), -1)
    of_y = torch.mm(rows, collapse).view_as(z)
    torch.ops.aten.threshold_backward.grad_input(of_y, y, 0, grad_input=of_y)  # of ReLU, in place
    del y
    of_z, of_gamma, of_beta = torch.ops.aten.native_batch_norm_backward(
        channels_second(of_y),
        channels_second(z),
        gamma,
        None,
        None,
        mean,
        (variance + eps).rsqrt_(),
        True,
        eps,
        [True] * 3,
    )
    del of_y
    of_z = of_z.permute(0, 2, 3, 1).contiguous()
    product = batch_product(x.shape[2], *conv)
    of_bias = rows.sum(0, dtype=mean.dtype)
    return product.backward(x, of_z, needs), (of_gamma, of_beta), (of_collapse, of_bias)
