"""PyTorch's batch norm and ReLU for channels last, differentiable twice.

PyTorch's own second derivatives go through a strided (N, C, H, W), which took
many times as long as the network around it.
"""

from typing import Optional, Tuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def channels_second(x: Tensor) -> Tensor:
    """(B, T, V, C) -> view (B, C, T, V), as PyTorch's operators read."""
    return x.permute(0, 3, 1, 2)


def _sum_of_products(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """Of each channel, clip by clip in the cache: (B, T, V, C) -> (C,)."""
    return sum((p.to(dtype) * q).sum((0, 1)) for p, q in zip(a, b))


def relu_backward(grad: Tensor, out: Tensor) -> Tensor:
    """Gradient of a ReLU, which again has none with respect to its result.

    PyTorch's own passes on a tensor of zeros.
    """
    return torch.ops.aten.threshold_backward(grad, out.detach(), 0)


class _BatchNormBackward(Function):
    """Gradients of a batch norm that can be differentiated once more.

    With y = (x - mean) / deviation, a = mean(g), b = mean(g y) over a channel:
    grad_x = gamma / deviation (g - a - b y), grad_gamma = sum(g y),
    grad_beta = sum(g).
    """

    @staticmethod
    def forward(ctx, grad, x, gamma, mean, inverse, eps):
        grad_x, grad_gamma, grad_beta = _native(grad, x, gamma, mean, inverse, eps)
        ctx.save_for_backward(grad, x, gamma, mean, inverse, grad_gamma, grad_beta)
        ctx.eps = eps
        ctx.set_materialize_grads(False)
        return grad_x, grad_gamma, grad_beta

    @staticmethod
    @once_differentiable
    def backward(ctx, u, u_gamma, u_beta):
        grad, x, gamma, mean, inverse, dot, total = ctx.saved_tensors
        rows = x[..., 0].numel()
        a, b = total / rows, dot / rows
        u = torch.zeros_like(x) if u is None else u
        # As a function of g the norm's gradient is its own adjoint.
        grad_grad, dot_u, total_u = _native(u, x, gamma, mean, inverse, ctx.eps)
        a_u, b_u = total_u / rows, dot_u / rows
        both = _sum_of_products(u, grad, gamma.dtype) / rows
        both = both - a_u * a - b_u * b
        scale = -gamma * inverse.square()
        slope = scale * inverse * (both - 2 * b_u * b)
        of_u, of_grad = scale * b, scale * b_u
        level = -of_u * a_u - of_grad * a
        if u_gamma is not None:
            own = u_gamma * inverse
            grad_grad = grad_grad + (x - mean) * own
            slope = slope - own * inverse * b
            of_grad = of_grad + own
            level = level - own * a
        if u_beta is not None:
            grad_grad = grad_grad + u_beta
        level = level - slope * mean
        grad_x = torch.empty_like(x, dtype=gamma.dtype, memory_format=torch.contiguous_format)
        for n, out in enumerate(grad_x):
            torch.addcmul(level, x[n], slope, out=out)
            out.addcmul_(u[n], of_u).addcmul_(grad[n], of_grad)
        return (grad_grad, grad_x.to(x.dtype), inverse * rows * both, None, None, None)


def _native(
    grad: Tensor, x: Tensor, gamma: Tensor, mean: Tensor, inverse: Tensor, eps: float
) -> Tuple[Tensor, Tensor, Tensor]:
    grad_x, grad_gamma, grad_beta = torch.ops.aten.native_batch_norm_backward(
        channels_second(grad),
        channels_second(x),
        gamma,
        None,
        None,
        mean,
        inverse,
        True,
        eps,
        [True] * 3,
    )
    return grad_x.permute(0, 2, 3, 1), grad_gamma, grad_beta


class _BatchNorm(Function):
    @staticmethod
    def forward(ctx, x, gamma, beta, running_mean, running_var, momentum, eps, relu):
        # Not a view, so that the caller may change it in place.
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        mean, inverse = torch.empty_like(gamma), torch.empty_like(gamma)
        torch.native_batch_norm(
            channels_second(x),
            gamma,
            beta,
            running_mean,
            running_var,
            True,
            momentum,
            eps,
            out=(channels_second(out), mean, inverse),
        )
        if relu:
            out.relu_()
        ctx.save_for_backward(x, gamma, mean, inverse, out if relu else None)
        ctx.eps = eps
        return out

    @staticmethod
    def backward(ctx, grad):
        x, gamma, mean, inverse, out = ctx.saved_tensors
        if out is not None:
            grad = relu_backward(grad, out)
        return _BatchNormBackward.apply(grad, x, gamma, mean, inverse, ctx.eps) + (None,) * 5


def batch_norm(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Optional[Tensor],
    running_var: Optional[Tensor],
    momentum: float,
    eps: float,
    relu: bool = False,
) -> Tensor:
    """A batch norm in training, and perhaps ReLU.

    Args:
        x (torch.Tensor): Shape (B, T, V, C).
        gamma, beta (torch.Tensor): Each (C,).
        running_mean, running_var (torch.Tensor, optional): Updated in place,
            each (C,).
        momentum (float): Of the update.
        eps (float): Added to the variance.
        relu (bool): Whether ReLU follows. Defaults to False.

    Returns:
        torch.Tensor: Shape (B, T, V, C).
    """
    return _BatchNorm.apply(x, gamma, beta, running_mean, running_var, momentum, eps, relu)
