"""The graph convolution of MS-GCN and G3D as matrix products.

Z[t, (u, i)] = sum over (j, v, k) of A[(u, i), (j, v, k)] W_k x[s t + j, v]

The 1x1 convolution W_k comes first, on the frames themselves (a window of w
frames repeats each of them w times). Scale and joint are then contracted in
one product per frame. With channels last both are plain matrix products, a
window of frames is a strided view, and nothing is permuted.
"""
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function


def _out_frames(frames: int, stride: int) -> int:
    return (frames - 1) // stride + 1


def _pad_frames(x: Tensor, before: int, after: int) -> Tensor:
    return F.pad(x, (0, 0, 0, 0, before, after)) if before or after else x


def graph_conv_plain(x: Tensor, weight: Tensor, adjacency: Tensor,
                     stride: int, window: int) -> Tensor:
    """:func:`graph_conv` in differentiable operators of PyTorch.

    For export, for tracing, and for derivatives of second and higher order.
    """
    batch, frames, joints, _ = x.shape
    scales, out_channels, _ = weight.shape
    pad = (window - 1) // 2
    last = (_out_frames(frames, stride) - 1) * stride + 1
    y = F.linear(_pad_frames(x, pad, pad), weight.flatten(0, 1))
    y = y.view(batch, -1, joints * scales, out_channels)
    if window > 1 or stride > 1:
        y = torch.cat(
            [y[:, j:j + last:stride] for j in range(window)], dim=2)
    return adjacency.unsqueeze(1) @ y


def _windows(y: Tensor, frames: int, stride: int, window: int) -> Tensor:
    """(T, R, C) contiguous -> view (frames, window R, C)."""
    rows, channels = y.shape[1:]
    step = rows * channels
    return y.as_strided((frames, window * rows, channels),
                        (stride * step, channels, 1))


class _GraphConv(Function):
    """Keeps x, W and A alone; the K times larger W_k x lives clip by clip.

    That tensor is the memory hog of MS-G3D. One clip of it fits the cache,
    and making it again in the backward pass costs one product in seven.
    """

    @staticmethod
    def forward(ctx, x, weight, adjacency, stride, window):
        batch, frames, joints, _ = x.shape
        scales, channels, _ = weight.shape
        pad = (window - 1) // 2
        out_frames = _out_frames(frames, stride)
        flat = weight.flatten(0, 1).t()
        out = x.new_empty(batch, out_frames, adjacency.shape[1], channels)
        for n in range(batch):
            y = _pad_frames(x[n], pad, pad) @ flat
            y = y.view(-1, joints * scales, channels)
            matrix = adjacency[n % len(adjacency)]
            torch.bmm(
                matrix.expand(out_frames, -1, -1),
                _windows(y, out_frames, stride, window),
                out=out[n])
        ctx.save_for_backward(x, weight, adjacency)
        ctx.stride, ctx.window = stride, window
        return out

    @staticmethod
    def backward(ctx, grad):
        x, weight, adjacency = ctx.saved_tensors
        args = (ctx.stride, ctx.window)
        if torch.is_grad_enabled():  # the caller wants to differentiate this
            out = graph_conv_plain(x, weight, adjacency, *args)
            inputs = [
                t for t, need in zip((x, weight, adjacency),
                                     ctx.needs_input_grad) if need
            ]
            grads = iter(
                torch.autograd.grad(out, inputs, grad, create_graph=True))
            return tuple(
                next(grads) if need else None
                for need in ctx.needs_input_grad[:3]) + (None, None)
        return _backward(x, weight, adjacency, grad.contiguous(), *args,
                         ctx.needs_input_grad) + (None, None)


def _backward(x: Tensor, weight: Tensor, adjacency: Tensor, grad: Tensor,
              stride: int, window: int, needs) -> Tuple:
    batch, frames, joints, in_channels = x.shape
    scales, channels, _ = weight.shape
    pad = (window - 1) // 2
    flat = weight.flatten(0, 1)
    grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
    grad_flat = torch.zeros_like(flat)
    grad_a = torch.zeros_like(adjacency)
    for n in range(batch):
        which = n % len(adjacency)
        if needs[2]:
            grad_a[which] += _grad_adjacency(
                _pad_frames(x[n], pad, pad), weight, grad[n], stride, window)
        if needs[0] or needs[1]:
            grad_y = _grad_frames(grad[n], adjacency[which], frames, stride,
                                  window)
            grad_y = grad_y.view(frames * joints, scales * channels)
            torch.mm(grad_y, flat, out=grad_x[n].view(-1, in_channels))
            grad_flat.addmm_(grad_y.t(), x[n].reshape(-1, in_channels))
    return (grad_x if needs[0] else None,
            grad_flat.view_as(weight) if needs[1] else None,
            grad_a if needs[2] else None)


def _grad_adjacency(x: Tensor, weight: Tensor, grad: Tensor, stride: int,
                    window: int) -> Tensor:
    """Gradient of A by one clip, from its padded frames: (V w, w V K).

    Joints come before frames here, so that the sum over frames and channels
    is the inner dimension of one product for each place in the window.
    """
    _, joints, in_channels = x.shape
    scales, channels, _ = weight.shape
    out_frames, rows, _ = grad.shape
    left = grad.transpose(0, 1).reshape(rows, -1)
    out = grad.new_empty(rows, window, joints, scales)
    for phase in range(min(stride, window)):
        part = x[phase::stride].transpose(0, 1).reshape(-1, in_channels)
        y = torch.matmul(part, weight.transpose(1, 2))  # (K, V T, C)
        y = y.view(scales * joints, -1)
        for place in range(phase, window, stride):
            start = place // stride * channels
            right = y[:, start:start + out_frames * channels]
            product = (left @ right.t()).view(rows, scales, joints)
            out[:, place] = product.transpose(1, 2)
    return out.view(rows, -1)


def _grad_frames(grad: Tensor, matrix: Tensor, frames: int, stride: int,
                 window: int) -> Tensor:
    """Gradient of the frames W_k x of one clip: (T, V K, C).

    A frame collects from all windows that hold it. Those are neighbours, so
    this is again one product per frame over a strided view, not a scatter.
    """
    out_frames, rows, channels = grad.shape
    cols = matrix.shape[1] // window
    pad = (window - 1) // 2
    out = grad.new_empty(frames, cols, channels)
    blocks = matrix.view(rows, window, cols)
    for phase in range(min(stride, frames)):
        # Frame f sits at place j = f + pad - stride t of window t.
        first = (phase + pad) % stride
        places = list(range(first, window, stride))  # j, for falling t
        count = len(range(phase, frames, stride))
        newest = (phase + pad - first) // stride  # t of the smallest place
        before = max(0, len(places) - 1 - newest)
        after = max(0, newest + count - out_frames)
        start = newest - (len(places) - 1) + before
        source = _pad_frames(grad, before, after)[start:].contiguous()
        part = blocks[:, places[::-1]].permute(2, 1, 0)
        part = part.reshape(cols, len(places) * rows)
        view = _windows(source, count, 1, len(places))
        product = torch.bmm(part.expand(count, -1, -1), view)
        out[phase::stride] = product
    return out


def graph_conv(x: Tensor,
               weight: Tensor,
               adjacency: Tensor,
               stride: int = 1,
               window: int = 1) -> Tensor:
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
    if _needs_plain():
        return graph_conv_plain(x, weight, adjacency, stride, window)
    return _GraphConv.apply(x, weight, adjacency, stride, window)


def _needs_plain() -> bool:
    """Whether something looks at the operators rather than the result."""
    return (torch.jit.is_tracing() or torch.compiler.is_compiling()
            or torch.onnx.is_in_onnx_export())


def aggregate_first(x: Tensor, weight: Tensor, adjacency: Tensor,
                    stride: int, window: int) -> Tensor:
    """:func:`graph_conv` in the other order: joints first, then channels.

    Cheaper where C is much smaller than D, as in the first block. Axes as in
    :func:`graph_conv`.
    """
    batch, frames, joints, channels = x.shape
    scales, out_channels, _ = weight.shape
    pad = (window - 1) // 2
    out_frames = _out_frames(frames, stride)
    last = (out_frames - 1) * stride + 1
    x = _pad_frames(x, pad, pad).permute(0, 3, 1, 2)  # few channels: cheap
    x = torch.stack([x[:, :, j:j + last:stride] for j in range(window)], 3)
    x = x.reshape(batch, channels * out_frames, window * joints)
    rows = adjacency.shape[1]
    # Columns (j, v, k) -> a matrix from (j, v) to (row, k).
    matrix = adjacency.view(-1, rows, window * joints, scales)
    matrix = matrix.permute(0, 2, 1, 3).flatten(2)
    if len(matrix) == 1:
        x = x.flatten(0, 1) @ matrix[0]
    else:
        x = x @ matrix
    x = x.view(batch, channels, out_frames, rows, scales)
    x = x.permute(0, 2, 3, 4, 1).flatten(3)
    return F.linear(x, weight.transpose(0, 1).flatten(1))
