"""Graph convolution, batch norm, ReLU and collapse of windows, clip by clip.

Only the convolution's result z is kept. docs/derivations.md derives the backward pass.
"""

from typing import List, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from ..shapes import channels_second, out_frames, pad_frames
from .clip_product import ClipProduct, add_product
from .graph_conv import clip_product, gradients

# Weight, adjacency, stride and window of a graph convolution.
Conv = Tuple[Tensor, Tensor, int, int]


class Affine(NamedTuple):
    """A norm as factor z + shift, with inverse = 1 / deviation; each (D,), at least float32."""

    factor: Tensor
    shift: Tensor
    inverse: Tensor


def affine(norm: Tuple[Tensor, Tensor, float], mean: Tensor, variance: Tensor) -> Affine:
    """Compute factor and shift of a norm (gamma, beta, eps) by statistics, each (D,)."""
    gamma, beta, eps = norm
    inverse = (variance + eps).rsqrt()
    factor = gamma * inverse
    return Affine(factor, beta - mean * factor, inverse)


class _Collapse:
    """ReLU and the collapse of a window, of one clip at a time.

    Args:
        linear (tuple[torch.Tensor]): Weight (E, w D) and bias (E,).
    """

    def __init__(self, linear: Tuple[Tensor, Tensor]) -> None:
        weight, self.bias = linear
        self.matrix = weight.t().contiguous()  # a tenth faster than the view

    def __call__(self, y: Tensor, out: Tensor) -> None:
        """Compute (T', V w, D) -> (T', V, E); y is changed in place."""
        rows = out.shape[0] * out.shape[1]
        torch.addmm(self.bias, y.relu_().view(rows, -1), self.matrix, out=out.view(rows, -1))


def window_conv(
    x: Tensor,
    conv: Conv,
    norm: Tuple[Tensor, Tensor, float],
    linear: Tuple[Tensor, Tensor],
) -> Tuple[Tensor, List[Tensor], Tensor, Tensor]:
    """Compute :func:`..window_conv`.

    Args:
        x (torch.Tensor): Shape (B, T, V, C).
        conv (tuple): Weight, adjacency, stride and window, as in :func:`.graph_conv`.
        norm (tuple): gamma (D,), beta (D,) and eps.
        linear (tuple[torch.Tensor]): Weight (E, w D) and bias (E,) of the collapse.

    Returns:
        tuple: Features (B, T', V, E); z of each clip, (T', V w, D), for the backward pass; its
        mean and variance over the batch, each (D,).
    """
    product = clip_product(x.shape[2], *conv)
    out, scratch = _outputs(x, conv, linear)
    kept: List[Tensor] = []  # not one tensor: easier on the allocator
    moments, dtype = [], norm[0].dtype
    for n in range(len(x)):
        z = torch.empty_like(scratch)
        product.forward(x[n], n, z)
        kept.append(z)
        moments.append(_moments(z.to(dtype)))
    mean, variance = _moments_of_all(moments)
    a, collapse = affine(norm, mean, variance), _Collapse(linear)
    for z, own in zip(kept, out):
        collapse(_scaled(z, a, scratch), own)
    return out, kept, mean, variance


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
    conv, linear = (weight, adjacency, stride, window), (collapse, collapse_bias)
    product, finish = clip_product(x.shape[2], *conv), _Collapse(linear)
    out, scratch = _outputs(x, conv, linear)
    for n, own in enumerate(out):
        product.forward(x[n], n, scratch)
        finish(scratch.add_(bias), own)
    return out


def _outputs(x: Tensor, conv: Tuple, linear: Tuple[Tensor, Tensor]) -> Tuple[Tensor, Tensor]:
    """Allocate the features (B, T', V, E), and z of one clip (T', V w, D)."""
    weight, adjacency, stride, _ = conv
    frames, joints = out_frames(x.shape[1], stride), x.shape[2]
    out = x.new_empty(len(x), frames, joints, len(linear[0]))
    return out, x.new_empty(frames, adjacency.shape[1], weight.shape[1])


def _moments(z: Tensor) -> Tuple[Tensor, Tensor]:
    """Compute mean and variance of each channel of a clip (T', V w, D)."""
    return torch.batch_norm_update_stats(channels_second(z[None]), None, None, 0)


def _moments_of_all(moments: Sequence[Tuple[Tensor, Tensor]]) -> Tuple[Tensor, Tensor]:
    """Compute mean and variance over clips of equal size, from those of each."""
    means, variances = (torch.stack(t) for t in zip(*moments))
    return means.mean(0), variances.mean(0) + means.var(0, unbiased=False)


def _scaled(z: Tensor, a: Affine, out: Tensor) -> Tensor:
    return torch.addcmul(a.shift, z, a.factor, out=out)


def window_conv_backward(
    x: Tensor,
    conv: Conv,
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
    a = affine(norm, mean, variance)
    product = clip_product(x.shape[2], *conv, needs[:3])
    before, after = product.margins
    padded = pad_frames(torch.empty_like(kept[0]), before, after)
    scratch = padded[before : before + len(kept[0])]
    grad = grad.flatten(1, 2).contiguous()
    of_y, of_norm, of_collapse = _collapse_backward(grad, kept, a, mean, collapse, scratch)
    grad_x = _conv_backward(x, product, kept, of_y, of_norm, a, mean, padded, scratch)
    of_bias = grad.sum((0, 1), dtype=mean.dtype)
    return gradients(product, grad_x, needs), of_norm, (of_collapse, of_bias)


def _collapse_backward(
    grad: Tensor,
    kept: Sequence[Tensor],
    a: Affine,
    mean: Tensor,
    collapse: Tensor,
    scratch: Tensor,
) -> Tuple[List[Tensor], Tuple[Tensor, Tensor], Tensor]:
    """Go back through the collapse and ReLU, and sum up for the norm.

    Returns:
        tuple: Gradient of the norm's result y of each clip, (T', V w, D); those of gamma and
        beta, each (D,); that of the collapse, (E, w D).
    """
    of_collapse = torch.zeros_like(collapse, dtype=mean.dtype)
    of_beta, of_factor = torch.zeros_like(mean), torch.zeros_like(mean)
    of_y = []
    for n, z in enumerate(kept):
        y = _scaled(z, a, scratch).relu_()
        add_product(of_collapse, grad[n].t(), y.view(len(grad[n]), -1))
        own = (grad[n] @ collapse).view_as(z)
        torch.ops.aten.threshold_backward.grad_input(own, y, 0, grad_input=own)  # in place
        of_beta += own.sum((0, 1), dtype=of_beta.dtype)
        of_factor += torch.mul(own, z, out=scratch).sum((0, 1), dtype=of_beta.dtype)
        of_y.append(own)
    of_gamma = (of_factor - mean * of_beta) * a.inverse
    return of_y, (of_gamma, of_beta), of_collapse


def _conv_backward(
    x: Tensor,
    product: ClipProduct,
    kept: Sequence[Tensor],
    of_y: List[Tensor],
    of_norm: Tuple[Tensor, Tensor],
    a: Affine,
    mean: Tensor,
    padded: Tensor,
    scratch: Tensor,
) -> Tensor:
    """Go back through the norm and the convolution: grad_z = factor g + slope z + level.

    Returns:
        torch.Tensor: Gradient of x, (B, T, V, C); the others are in the product.
    """
    of_gamma, of_beta = of_norm
    rows = len(kept) * kept[0].shape[0] * kept[0].shape[1]
    slope = -a.factor * a.inverse * of_gamma / rows
    level = -a.factor * of_beta / rows - slope * mean
    grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
    of_y.reverse()  # popped, so that the memory of each is free for the next clip
    for n, z in enumerate(kept):
        torch.addcmul(level, z, slope, out=scratch)
        scratch.addcmul_(of_y.pop(), a.factor)
        product.backward(x[n], n, padded, grad_x[n])
    return grad_x
