"""The graph convolution of MS-GCN and G3D, for a batch of clips."""

from typing import Callable, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from .clip_product import out_frames, pad_frames
from .orders import clip_product


def graph_conv_plain(
    x: Tensor, weight: Tensor, adjacency: Tensor, stride: int, window: int
) -> Tensor:
    """:func:`graph_conv` in differentiable operators of PyTorch.

    For export, for tracing, and for derivatives of second and higher order.
    """
    batch, frames, joints, _ = x.shape
    scales, out_channels, _ = weight.shape
    pad = (window - 1) // 2
    last = (out_frames(frames, stride) - 1) * stride + 1
    y = F.linear(pad_frames(x, pad, pad), weight.flatten(0, 1))
    y = y.view(batch, -1, joints * scales, out_channels)
    if window > 1 or stride > 1:
        y = torch.cat([y[:, j : j + last : stride] for j in range(window)], dim=2)
    # Expanded, because counters of FLOPs look at the first shape alone.
    return adjacency.unsqueeze(1).expand(*y.shape[:2], -1, -1) @ y


def differentiable_backward(
    plain: Callable, inputs: Sequence[Tensor], args: Tuple, grad: Tensor, needs: Sequence[bool]
) -> Tuple:
    """Gradients that can be differentiated, through the plain operators.

    Args:
        plain (Callable): ``plain(*inputs, *args)`` is what was computed.
        inputs (Sequence[torch.Tensor]): To be differentiated by.
        args (tuple): Settings, without gradients.
        grad (torch.Tensor): Of the output.
        needs (Sequence[bool]): Which inputs want a gradient.
    """
    wanted = [t for t, need in zip(inputs, needs) if need]
    grads = iter(torch.autograd.grad(plain(*inputs, *args), wanted, grad, create_graph=True))
    return tuple(next(grads) if need else None for need in needs[: len(inputs)]) + (None,) * len(
        args
    )


class _GraphConv(Function):
    """Keeps x, W and A alone."""

    @staticmethod
    def forward(ctx, x, weight, adjacency, stride, window):
        product = clip_product(x.shape[2], weight, adjacency, stride, window)
        ctx.save_for_backward(x, weight, adjacency)
        ctx.args = (stride, window)
        out = x.new_empty(
            len(x), out_frames(x.shape[1], stride), adjacency.shape[1], weight.shape[1]
        )
        for n in range(len(x)):
            product.forward(x[n], n, out[n])
        return out

    @staticmethod
    def backward(ctx, grad):
        x, weight, adjacency = inputs = ctx.saved_tensors
        needs = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled():  # the caller wants to differentiate this
            return differentiable_backward(graph_conv_plain, inputs, ctx.args, grad, needs)
        product = clip_product(x.shape[2], weight, adjacency, *ctx.args, needs)
        grad = grad.contiguous()
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
        for n in range(len(x)):
            own = pad_frames(grad[n], *product.margins)
            product.backward(x[n], n, own, grad_x[n])
        return (
            grad_x if needs[0] else None,
            product.grad_weight if needs[1] else None,
            product.grad_adjacency if needs[2] else None,
            None,
            None,
        )


def graph_conv(
    x: Tensor, weight: Tensor, adjacency: Tensor, stride: int = 1, window: int = 1
) -> Tensor:
    """Multi-scale graph convolution over windows of frames, Eq. (1).

    Args:
        x (torch.Tensor): Features, shape (B, T, V, C).
        weight (torch.Tensor): W_k, shape (K, D, C).
        adjacency (torch.Tensor): One matrix for all clips or one for each,
            shape (1 or B, V w, w V K). Rows are (joint u, frame i) of the
            window, columns (frame j, joint v, scale k).
        stride (int): Frames between windows. Defaults to 1.
        window (int): Frames w of a window, odd. Defaults to 1.

    Returns:
        torch.Tensor: Shape (B, T', V w, D), T' = ceil(T / stride).
    """
    device = x.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        x, weight, adjacency = (t.to(dtype) for t in (x, weight, adjacency))
    if needs_plain():
        return graph_conv_plain(x, weight, adjacency, stride, window)
    return _GraphConv.apply(x, weight, adjacency, stride, window)


def needs_plain() -> bool:
    """Whether something looks at the operators rather than the result."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()
