"""Batch norm and ReLU with channels last, with cheap second derivatives.

PyTorch's own second derivatives of batch norm work on a strided (N, C, H, W) tensor and take many
times as long as the network around them. docs/derivations.md derives the formulas here.
"""

from typing import NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from .dispatch import kernels_for, needs_reference
from .shapes import channels_second


class _Adjoint(NamedTuple):
    """Result of :func:`_adjoint`: gradients of x (B, T, V, C), gamma and beta, each (C,)."""

    x: Tensor
    gamma: Tensor
    beta: Tensor


def _adjoint(
    grad: Tensor, x: Tensor, gamma: Tensor, mean: Tensor, inverse: Tensor, eps: float
) -> _Adjoint:
    """Compute PyTorch's gradients of a batch norm.

    With n = (x - mean) inverse: grad_x = gamma inverse (g - mean(g) - n mean(g n)),
    grad_gamma = sum(g n), grad_beta = sum(g).
    """
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
    return _Adjoint(grad_x.permute(0, 2, 3, 1), grad_gamma, grad_beta)


class _Coefficients(NamedTuple):
    """grad_x = of_grad g + of_u u + of_x x + constant, each (C,)."""

    of_grad: Tensor
    of_u: Tensor
    of_x: Tensor
    constant: Tensor


def _coefficients(
    gamma: Tensor,
    mean: Tensor,
    inverse: Tensor,
    means: Tuple[Tensor, Tensor],
    means_of_u: Tuple[Tensor, Tensor],
    covariance: Tensor,
    u_gamma: Optional[Tensor],
) -> _Coefficients:
    """Compute the four coefficients of the derivative with respect to x (docs/derivations.md).

    Args:
        gamma, mean, inverse (torch.Tensor): The norm's factor and statistics.
        means (tuple[torch.Tensor]): mean(g) and mean(g n).
        means_of_u (tuple[torch.Tensor]): mean(u) and mean(u n).
        covariance (torch.Tensor): mean(u g) - mean(u) mean(g) - mean(u n) mean(g n).
        u_gamma (torch.Tensor, optional): Cotangent of grad_gamma.
    """
    mean_g, mean_gn = means
    mean_u, mean_un = means_of_u
    scale = -gamma * inverse.square()
    of_u, of_grad = scale * mean_gn, scale * mean_un
    of_n = scale * (covariance - 2 * mean_un * mean_gn)
    constant = -of_u * mean_u - of_grad * mean_g
    if u_gamma is not None:  # grad_gamma = sum(g n) depends on x, too
        weight = u_gamma * inverse
        of_grad = of_grad + weight
        of_n = of_n - weight * mean_gn
        constant = constant - weight * mean_g
    of_x = of_n * inverse
    return _Coefficients(of_grad, of_u, of_x, constant - of_x * mean)


class _BatchNormBackward(Function):
    """The gradients of a batch norm, which can be differentiated once more."""

    @staticmethod
    def forward(ctx, grad, x, gamma, mean, inverse, eps):
        grads = _adjoint(grad, x, gamma, mean, inverse, eps)
        ctx.save_for_backward(grad, x, gamma, mean, inverse, grads.gamma, grads.beta)
        ctx.eps = eps
        ctx.set_materialize_grads(False)
        return tuple(grads)

    @staticmethod
    @once_differentiable
    def backward(ctx, u, u_gamma, u_beta):
        grad, x, gamma, mean, inverse, grad_gamma, grad_beta = ctx.saved_tensors
        kernels, rows = kernels_for(x), x[..., 0].numel()
        u = torch.zeros_like(x) if u is None else u
        # As a function of g, grad_x is self-adjoint.
        of_g, *sums_of_u = _adjoint(u, x, gamma, mean, inverse, ctx.eps)
        means = grad_beta / rows, grad_gamma / rows
        means_of_u = sums_of_u[1] / rows, sums_of_u[0] / rows
        covariance = kernels.sum_of_products(u, grad, gamma.dtype) / rows
        covariance = covariance - means_of_u[0] * means[0] - means_of_u[1] * means[1]
        c = _coefficients(gamma, mean, inverse, means, means_of_u, covariance, u_gamma)
        of_x = kernels.combine(c.constant, (x, c.of_x), (u, c.of_u), (grad, c.of_grad))
        if u_gamma is not None:
            of_g = of_g + ((x - mean) * (u_gamma * inverse)).to(of_g.dtype)
        if u_beta is not None:
            of_g = of_g + u_beta.to(of_g.dtype)
        return of_g, of_x.to(x.dtype), inverse * rows * covariance, None, None, None


class _BatchNorm(Function):
    @staticmethod
    def forward(ctx, x, gamma, beta, running_mean, running_var, momentum, eps, relu):
        # Not a view, so that the caller can change it in place.
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
    """Normalise by batch statistics, and apply ReLU if ``relu``.

    Args:
        x (torch.Tensor): Shape (B, T, V, C).
        gamma, beta (torch.Tensor): Each (C,).
        running_mean, running_var (torch.Tensor, optional): Updated in place, each (C,).
        momentum (float): Share of the new statistics in the update.
        eps (float): Added to the variance.
        relu (bool): Whether ReLU follows. Defaults to False.

    Returns:
        torch.Tensor: Shape (B, T, V, C).
    """
    return _BatchNorm.apply(x, gamma, beta, running_mean, running_var, momentum, eps, relu)


def relu_backward(grad: Tensor, out: Tensor) -> Tensor:
    """Compute the gradient of a ReLU of any shape, constant with respect to its result.

    PyTorch's own formula also passes a tensor of zeros on to the result.
    """
    return torch.ops.aten.threshold_backward(grad, out.detach(), 0)


class _ReLU(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        ctx.save_for_backward(x.relu_())
        return x

    @staticmethod
    def backward(ctx, grad):
        return relu_backward(grad, *ctx.saved_tensors)


def relu_(x: Tensor) -> Tensor:
    """Apply ``F.relu_`` to a tensor of any shape, with a cheaper second derivative."""
    return F.relu_(x) if needs_reference() else _ReLU.apply(x)
