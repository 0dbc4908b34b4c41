"""One G3D branch: convolve, batch norm, ReLU, collapse the window.

What lies between the steps has w times as many joints as the input. Done clip
by clip, only the input of the norm is kept; the rest stays in the cache.
"""

from typing import List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from .batch_norm import channels_second
from .clip_product import out_frames, pad_frames
from .graph_conv import differentiable_backward, graph_conv_plain
from .orders import clip_product


def window_conv_plain(
    x: Tensor,
    weight: Tensor,
    adjacency: Tensor,
    bias: Tensor,
    gamma: Tensor,
    beta: Tensor,
    collapse: Tensor,
    collapse_bias: Tensor,
    mean: Optional[Tensor],
    variance: Optional[Tensor],
    stride: int,
    window: int,
    eps: float,
) -> Tensor:
    """First result of :func:`window_conv` in operators of PyTorch."""
    z = graph_conv_plain(x, weight, adjacency, stride, window) + bias
    z = F.batch_norm(z.flatten(0, 2), mean, variance, gamma, beta, mean is None, eps=eps)
    z = z.relu().view(len(x), -1, x.shape[2], collapse.shape[1])
    return F.linear(z, collapse, collapse_bias)


def _moments(z: Tensor) -> Tuple[Tensor, Tensor]:
    """Mean and variance of each channel of a clip (T', R, D)."""
    return torch.batch_norm_update_stats(channels_second(z.unsqueeze(0)), None, None, 0)


def _moments_of_all(moments: Sequence[Tuple[Tensor, Tensor]]) -> Tuple:
    """Mean and variance over clips of equal size, from those of each."""
    means, variances = (torch.stack(t) for t in zip(*moments))
    return means.mean(0), variances.mean(0) + means.var(0, unbiased=False)


class _WindowConv(Function):
    @staticmethod
    def forward(
        ctx,
        x,
        weight,
        adjacency,
        bias,
        gamma,
        beta,
        collapse,
        collapse_bias,
        mean,
        variance,
        stride,
        window,
        eps,
        keep,
    ):
        joints = x.shape[2]
        count, channels = out_frames(x.shape[1], stride), weight.shape[1]
        product = clip_product(joints, weight, adjacency, stride, window)
        scratch = x.new_empty(count, joints * window, channels)
        out = x.new_empty(len(x), count, joints, len(collapse))

        def finish(n: int, z: Tensor, factor: Tensor, shift: Tensor) -> None:
            torch.addcmul(shift, z, factor, out=scratch).relu_()
            torch.addmm(
                collapse_bias,
                scratch.view(count * joints, -1),
                matrix,
                out=out[n].view(count * joints, -1),
            )

        matrix = collapse.t().contiguous()  # a tenth faster than the view
        clips: List[Tensor] = []  # not one tensor: easier on the allocator
        moments = []
        by_batch = mean is None
        if not by_batch:
            mean = mean - bias
            inverse, factor, shift = _affine(mean, variance, gamma, beta, eps)
        for n in range(len(x)):
            z = torch.empty_like(scratch) if by_batch or keep else scratch
            product.forward(x[n], n, z)
            if by_batch or keep:
                clips.append(z)
            if by_batch:
                moments.append(_moments(z))
            else:
                finish(n, z, factor, shift)
        if by_batch:
            mean, variance = _moments_of_all(moments)
            inverse, factor, shift = _affine(mean, variance, gamma, beta, eps)
            for n, z in enumerate(clips):
                finish(n, z, factor, shift)
        ctx.by_batch = by_batch
        ctx.args = (stride, window, eps)
        if keep:
            ctx.save_for_backward(
                x,
                weight,
                adjacency,
                bias,
                gamma,
                beta,
                collapse,
                collapse_bias,
                mean,
                variance,
                *clips,
            )
        mean = mean + bias
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    def backward(ctx, grad, *_):
        saved = ctx.saved_tensors
        inputs, (mean, variance), clips = saved[:8], saved[8:10], saved[10:]
        needs = ctx.needs_input_grad
        x, weight, adjacency, bias, gamma, beta, collapse, _ = inputs
        stride, window, eps = ctx.args
        if torch.is_grad_enabled():  # the caller wants to differentiate this
            stats = (None, None) if ctx.by_batch else ((mean + bias).detach(), variance)
            return differentiable_backward(
                window_conv_plain, inputs, (*stats, *ctx.args), grad, needs
            ) + (None,)
        product = clip_product(x.shape[2], weight, adjacency, stride, window, needs[:3])
        inverse, factor, shift = _affine(mean, variance, gamma, beta, eps)
        # Backwards through the collapse, ReLU and the sums of the norm.
        grad = grad.flatten(1, 2).contiguous()
        grad_collapse = torch.zeros_like(collapse)
        grad_beta, dot = torch.zeros_like(beta), torch.zeros_like(beta)
        before, after = product.margins
        padded = pad_frames(torch.empty_like(clips[0]), before, after)
        scratch = padded[before : before + len(clips[0])]
        grads = []
        for n, z in enumerate(clips):
            y = torch.addcmul(shift, z, factor, out=scratch).relu_()
            grad_collapse.addmm_(grad[n].t(), y.view(len(grad[n]), -1))
            own = (grad[n] @ collapse).view_as(z)
            torch.ops.aten.threshold_backward.grad_input(  # of ReLU, in place
                own, y, 0, grad_input=own
            )
            grad_beta += own.sum((0, 1))
            dot += torch.mul(own, z, out=scratch).sum((0, 1))
            grads.append(own)
        grad_gamma = (dot - mean * grad_beta) * inverse
        # Backwards through the norm and the convolution. Where the mean is
        # that of the batch, it takes the bias away.
        rows = len(clips) * clips[0].shape[0] * clips[0].shape[1]
        share = -1 / rows if ctx.by_batch else 0
        slope = factor * inverse * grad_gamma * share
        level = factor * grad_beta * share - slope * mean
        grad_bias = factor * grad_beta * (0 if ctx.by_batch else 1)
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
        for n, z in enumerate(clips):
            torch.addcmul(level, z, slope, out=scratch)
            scratch.addcmul_(grads[n], factor)
            grads[n] = None
            product.backward(x[n], n, padded, grad_x[n])
        return (
            grad_x if needs[0] else None,
            product.grad_weight if needs[1] else None,
            product.grad_adjacency if needs[2] else None,
            grad_bias,
            grad_gamma,
            grad_beta,
            grad_collapse,
            grad.sum((0, 1)),
        ) + (None,) * 6


def _affine(
    mean: Tensor, variance: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Tuple[Tensor, Tensor, Tensor]:
    """1 / deviation, and factor and shift of a norm."""
    inverse = (variance + eps).rsqrt()
    factor = gamma * inverse
    return inverse, factor, beta - mean * factor


def window_conv(
    x: Tensor,
    weight: Tensor,
    adjacency: Tensor,
    bias: Tensor,
    gamma: Tensor,
    beta: Tensor,
    collapse: Tensor,
    collapse_bias: Tensor,
    mean: Optional[Tensor],
    variance: Optional[Tensor],
    stride: int,
    window: int,
    eps: float,
) -> Tuple[Tensor, Tensor, Tensor]:
    """Graph convolution, batch norm, ReLU, collapse of windows.

    Args:
        x, weight, adjacency, stride, window: As in :func:`graph_conv`.
        bias (torch.Tensor): Of the convolution, shape (D,).
        gamma, beta (torch.Tensor): Of the batch norm, each (D,).
        collapse (torch.Tensor): Shape (E, w D).
        collapse_bias (torch.Tensor): Shape (E,).
        mean, variance (torch.Tensor, optional): To normalise by, each (D,);
            None is those of the batch.
        eps (float): Of the batch norm.

    Returns:
        tuple[torch.Tensor]: Features (B, T', V, E); mean and (biased)
        variance that were used, each (D,), without gradient.
    """
    return _WindowConv.apply(
        x,
        weight,
        adjacency,
        bias,
        gamma,
        beta,
        collapse,
        collapse_bias,
        mean,
        variance,
        stride,
        window,
        eps,
        torch.is_grad_enabled(),
    )
