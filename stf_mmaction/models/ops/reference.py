"""The definition of each operator, in differentiable operators of PyTorch.

The fast versions are tested against these functions. Export and compilation use them,
and so do second derivatives without a rule of their own.
"""

from typing import Callable, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .shapes import channels_second, out_frames, pad_frames

DILATIONS = (1, 2, 3, 4)  # of the convolutions of a temporal unit
TAPS = 3


def graph_conv(x: Tensor, weight: Tensor, adjacency: Tensor, stride: int, window: int) -> Tensor:
    """Compute Z[t, (u, i)] = sum over j, v, k of A[(u, i), (j, v, k)] W_k X[s t + j - pad, v].

    Args and result: as in :func:`stf_mmaction.models.ops.graph_conv`.
    """
    batch, frames, joints, _ = x.shape
    scales, out_channels, _ = weight.shape
    pad = (window - 1) // 2
    last = (out_frames(frames, stride) - 1) * stride + 1
    y = F.linear(pad_frames(x, pad, pad), weight.flatten(0, 1))
    y = y.view(batch, -1, joints * scales, out_channels)
    if window > 1 or stride > 1:
        y = torch.cat([y[:, j : j + last : stride] for j in range(window)], dim=2)
    # Expanded, because FLOP counters consider only the first shape.
    return adjacency.unsqueeze(1).expand(*y.shape[:2], -1, -1) @ y


def window_conv(
    x: Tensor,
    weight: Tensor,
    adjacency: Tensor,
    bias: Tensor,
    gamma: Tensor,
    beta: Tensor,
    collapse: Tensor,
    collapse_bias: Tensor,
    stride: int,
    window: int,
    eps: float,
) -> Tensor:
    """Compute graph convolution, batch norm by the batch, ReLU and collapse, one after the other.

    Args and result: as in :func:`stf_mmaction.models.ops.window_conv`, without the statistics.
    """
    z = graph_conv(x, weight, adjacency, stride, window) + bias.to(x.dtype)
    z = F.batch_norm(z.flatten(0, 2), None, None, gamma, beta, True, eps=eps)
    z = z.relu().view(len(x), -1, x.shape[2], collapse.shape[1])
    return F.linear(z, collapse, collapse_bias)


def branches(h: Tensor, point: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    """Compute dilated convolutions and a max pool over frames, beside a given branch.

    Args and result: as in :func:`stf_mmaction.models.ops.branches`.
    """
    width = weight.shape[2]
    parts = [
        temporal_conv(h[..., i * width : (i + 1) * width], weight[i], bias[i], dilation, stride)
        for i, dilation in enumerate(DILATIONS)
    ]
    pool = channels_second(h[..., 4 * width :])
    pool = F.max_pool2d(pool, (TAPS, 1), (stride, 1), (1, 0)).permute(0, 2, 3, 1)
    return torch.cat([*parts, pool, point], -1)


def temporal_conv(
    h: Tensor, rows: Tensor, bias: Optional[Tensor], dilation: int, stride: int
) -> Tensor:
    """Convolve over three frames: (B, T, V, W) -> (B, T', V, W); rows (3 W, W) as in branches."""
    kernel = kernel_of(rows)
    h = channels_second(h)
    out = F.conv2d(h, kernel, bias, (stride, 1), (dilation, 0), (dilation, 1))
    return out.permute(0, 2, 3, 1)


def kernel_of(rows: Tensor) -> Tensor:
    """View (3 W, W), rows (tap, channel in), columns channel out, as a kernel (W, W, 3, 1)."""
    width = rows.shape[1]
    return rows.view(TAPS, width, width).permute(2, 1, 0)[..., None]


def differentiable_backward(
    reference: Callable,
    inputs: Sequence[Tensor],
    settings: Tuple,
    grad: Tensor,
    needs: Sequence[bool],
) -> Tuple:
    """Compute gradients that can be differentiated again, through a reference.

    Args:
        reference (Callable): ``reference(*inputs, *settings)`` is the function that
            was computed.
        inputs (Sequence[torch.Tensor]): Differentiate with respect to these.
        settings (tuple): Arguments without gradients.
        grad (torch.Tensor): Gradient of the output.
        needs (Sequence[bool]): Which inputs require a gradient.

    Returns:
        tuple: One gradient or None per input.
    """
    wanted = [t for t, need in zip(inputs, needs) if need]
    out = reference(*inputs, *settings)
    grads = iter(torch.autograd.grad(out, wanted, grad.to(out.dtype), create_graph=True))
    return tuple(next(grads) if need else None for need in needs[: len(inputs)])
