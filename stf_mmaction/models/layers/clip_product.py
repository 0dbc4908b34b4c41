"""The graph convolution of one clip, in the cheapest order of its two steps.

Z[t, (u, i)] = sum over (j, v, k) of A[(u, i), (j, v, k)] W_k x[s t + j, v]

The K times larger tensor between the steps is the memory hog of MS-G3D. Here
it lives for one clip or less, in the cache, and is made again in the backward
pass.
"""
from math import ceil
from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

CACHED = 2**20  # numbers of a scratch that stays in the cache


def out_frames(frames: int, stride: int) -> int:
    """T' = ceil(T / stride)."""
    return (frames - 1) // stride + 1


def pad_frames(x: Tensor, before: int, after: int) -> Tensor:
    """Zero frames around (..., T, V, C)."""
    return F.pad(x, (0, 0, 0, 0, before, after)) if before or after else x


def _windows(y: Tensor, frames: int, stride: int, window: int) -> Tensor:
    """(T, R, C) contiguous -> view (frames, window R, C)."""
    rows, channels = y.shape[1:]
    step = rows * channels
    return y.as_strided((frames, window * rows, channels),
                        (stride * step, channels, 1))


class ClipProduct:
    """One order of channels and joints.

    Args:
        weight (torch.Tensor): W_k, shape (K, D, C).
        adjacency (torch.Tensor): Shape (1 or B, V w, w V K).
        stride (int): Frames between windows.
        window (int): Frames w of a window.
        needs (Sequence[bool]): Which gradients :meth:`backward` gives, of x,
            of the weight and of the adjacency. Defaults to none.

    Attributes:
        grad_weight, grad_adjacency (torch.Tensor): Sums over the clips that
            :meth:`backward` has seen.
    """

    def __init__(self,
                 weight: Tensor,
                 adjacency: Tensor,
                 stride: int,
                 window: int,
                 needs: Sequence[bool] = (False, False, False)) -> None:
        self.weight = weight
        self.matrix = self._arrange(adjacency)
        self.stride, self.window = stride, window
        self.pad = (window - 1) // 2
        self.needs = needs
        if any(needs):
            self._grad_weight = torch.zeros_like(self.flat)
            self._grad_matrix = torch.zeros_like(self.matrix)

    def forward(self, x: Tensor, clip: int, out: Tensor) -> None:
        """Convolve one clip.

        Args:
            x (torch.Tensor): Shape (T, V, C).
            clip (int): Which clip of the batch.
            out (torch.Tensor): Z, to be filled, shape (T', V w, D).
        """
        raise NotImplementedError

    def backward(self, x: Tensor, clip: int, grad: Tensor,
                 grad_x: Tensor) -> None:
        """Collect the gradients of one clip.

        Args:
            x (torch.Tensor): Shape (T, V, C).
            clip (int): Which clip of the batch.
            grad (torch.Tensor): Of Z, shape (T', V w, D).
            grad_x (torch.Tensor): To be filled, shape (T, V, C).
        """
        raise NotImplementedError

    def _arrange(self, adjacency: Tensor) -> Tensor:
        return adjacency

    def _scratch(self, like: Tensor, *shape: int) -> Tensor:
        """Memory that is used again for every clip."""
        kept = getattr(self, '_kept', None)
        if kept is None or kept.shape != shape:
            self._kept = kept = like.new_empty(shape)
        return kept


class ChannelsFirst(ClipProduct):
    """W_k on the frames themselves: a window of w repeats each w times."""

    def __init__(self, weight, *args, **kwargs) -> None:
        self.flat = weight.flatten(0, 1)  # (K D, C)
        super().__init__(weight, *args, **kwargs)

    @property
    def grad_weight(self) -> Tensor:
        return self._grad_weight.view_as(self.weight)

    @property
    def grad_adjacency(self) -> Tensor:
        return self._grad_matrix

    def _frames(self, x: Tensor) -> Tensor:
        """W_k x of the padded clip: (T + w - 1, V K, D)."""
        padded = pad_frames(x, self.pad, self.pad)
        y = self._scratch(x, len(padded) * x.shape[1], len(self.flat))
        torch.mm(padded.reshape(len(y), -1), self.flat.t(), out=y)
        return y.view(len(padded), -1, self.weight.shape[1])

    def forward(self, x: Tensor, clip: int, out: Tensor) -> None:
        matrix = self.matrix[clip % len(self.matrix)]
        torch.bmm(
            matrix.expand(len(out), -1, -1),
            _windows(self._frames(x), len(out), self.stride, self.window),
            out=out)

    def backward(self, x, clip, grad, grad_x) -> None:
        which = clip % len(self.matrix)
        if self.needs[2]:
            view = _windows(self._frames(x), len(grad), self.stride,
                            self.window)
            self._grad_matrix[which].addbmm_(grad, view.transpose(1, 2))
        if self.needs[0] or self.needs[1]:
            rows = self._grad_frames(grad, self.matrix[which], len(x))
            rows = rows.view(-1, len(self.flat))  # (T V, K D)
            torch.mm(rows, self.flat, out=grad_x.view(len(rows), -1))
            self._grad_weight.addmm_(rows.t(), x.reshape(len(rows), -1))

    def _grad_frames(self, grad: Tensor, matrix: Tensor,
                     frames: int) -> Tensor:
        """Gradient of the frames W_k x: (T, V K, D).

        A frame collects from all windows that hold it. Those are neighbours,
        so this is again one product per frame over a strided view, not a
        scatter.
        """
        stride, window = self.stride, self.window
        count_out, rows, channels = grad.shape
        cols = matrix.shape[1] // window
        out = grad.new_empty(frames, cols, channels)
        blocks = matrix.view(rows, window, cols)
        for phase in range(min(stride, frames)):
            # Frame f sits at place j = f + pad - stride t of window t.
            first = (phase + self.pad) % stride
            places = list(range(first, window, stride))  # j, for falling t
            count = len(range(phase, frames, stride))
            newest = (phase + self.pad - first) // stride  # t, smallest place
            before = max(0, len(places) - 1 - newest)
            after = max(0, newest + count - count_out)
            start = newest - (len(places) - 1) + before
            source = pad_frames(grad, before, after)[start:].contiguous()
            part = blocks[:, places[::-1]].permute(2, 1, 0)
            part = part.reshape(cols, len(places) * rows)
            torch.bmm(
                part.expand(count, -1, -1),
                _windows(source, count, 1, len(places)),
                out=out[phase::stride])
        return out


class _JointsFirst(ClipProduct):

    def __init__(self, weight, *args, **kwargs) -> None:
        self.flat = weight.transpose(1, 2).flatten(0, 1)  # (K C, D)
        super().__init__(weight, *args, **kwargs)

    @property
    def grad_weight(self) -> Tensor:
        scales, channels, in_channels = self.weight.shape
        return self._grad_weight.view(scales, in_channels,
                                      channels).transpose(1, 2)

    def _arrange(self, adjacency: Tensor) -> Tensor:
        """Rows r, columns (c, k) -> rows (r, k), columns c."""
        scales = len(self.weight)
        rows, cols = adjacency.shape[1], adjacency.shape[2] // scales
        matrix = adjacency.view(-1, rows, cols, scales).transpose(2, 3)
        return matrix.reshape(-1, rows * scales, cols)

    @property
    def grad_adjacency(self) -> Tensor:
        count, rows, cols = self._grad_matrix.shape
        scales = len(self.weight)
        grad = self._grad_matrix.view(count, -1, scales, cols)
        return grad.transpose(2, 3).reshape(count, rows // scales, -1)


class JointsFirst(_JointsFirst):
    """Joints first, for windows of one frame: a small product per frame.

    As many multiplications as the other order, but what the backward pass
    makes again is the cheaper step.
    """

    def _parts(self, frames: int):
        most = CACHED // (self.matrix.shape[1] * self.weight.shape[2])
        count = ceil(frames / ceil(frames / max(most, 1)))  # of equal size
        for start in range(0, frames, count):
            yield slice(start, min(frames, start + count)), count

    def forward(self, x: Tensor, clip: int, out: Tensor) -> None:
        matrix = self.matrix[clip % len(self.matrix)]
        for part, count in self._parts(len(x)):
            product = self._aggregate(matrix, x[part], count)
            torch.mm(
                product.view(-1, len(self.flat)),
                self.flat,
                out=out[part].view(-1, self.flat.shape[1]))

    def _aggregate(self, matrix: Tensor, x: Tensor, count: int) -> Tensor:
        scratch = self._scratch(x, count, len(matrix), x.shape[2])
        return torch.bmm(
            matrix.expand(len(x), -1, -1), x, out=scratch[:len(x)])

    def backward(self, x, clip, grad, grad_x) -> None:
        which = clip % len(self.matrix)
        matrix = self.matrix[which]
        for part, count in self._parts(len(x)):
            rows = grad[part].view(-1, self.flat.shape[1])
            product = self._aggregate(matrix, x[part], count)
            flat = product.view(-1, len(self.flat))
            if self.needs[1]:
                self._grad_weight.addmm_(flat.t(), rows)
            torch.mm(rows, self.flat.t(), out=flat)  # now of the product
            if self.needs[2]:
                self._grad_matrix[which].addbmm_(product,
                                                 x[part].transpose(1, 2))
            if self.needs[0]:
                torch.bmm(
                    matrix.t().expand(len(product), -1, -1),
                    product,
                    out=grad_x[part])


class FewChannels(_JointsFirst):
    """Joints first, for any window, where C is much smaller than D.

    As the first block, which reads coordinates: one product per clip.
    """

    def _unfold(self, x: Tensor) -> Tensor:
        """(T, V, C) -> (C T', w V); few channels: a cheap copy."""
        count = out_frames(len(x), self.stride)
        last = (count - 1) * self.stride + 1
        x = pad_frames(x, self.pad, self.pad).permute(2, 0, 1)
        places = [x[:, j:j + last:self.stride] for j in range(self.window)]
        return torch.stack(places, 2).flatten(0, 1).flatten(1)

    def _aggregate(self, unfolded: Tensor, clip: int) -> Tensor:
        """(C T', w V) -> (T' V w, K C)."""
        channels = self.weight.shape[2]
        matrix = self.matrix[clip % len(self.matrix)]
        product = (unfolded @ matrix.t()).view(channels, -1)
        # For few channels four times as fast as a copy of the transpose.
        return torch.stack(product.unbind(), 1).view(-1, len(self.flat))

    def forward(self, x: Tensor, clip: int, out: Tensor) -> None:
        product = self._aggregate(self._unfold(x), clip)
        torch.mm(product, self.flat, out=out.view(len(product), -1))

    def backward(self, x, clip, grad, grad_x) -> None:
        which = clip % len(self.matrix)
        frames, joints, channels = x.shape
        count, window = len(grad), self.window
        unfolded = self._unfold(x)
        rows = grad.view(-1, self.flat.shape[1])
        self._grad_weight.addmm_(self._aggregate(unfolded, clip).t(), rows)
        product = (rows @ self.flat.t()).view(-1, channels)
        product = torch.stack(product.unbind(1)).view(channels * count, -1)
        self._grad_matrix[which].addmm_(product.t(), unfolded)
        if not self.needs[0]:
            return
        parts = (product @ self.matrix[which]).view(channels, count, window,
                                                    joints)
        last = (count - 1) * self.stride + 1
        padded = x.new_zeros(frames + window - 1, joints, channels)
        for j in range(window):
            padded[j:j + last:self.stride] += parts[:, :, j].permute(1, 2, 0)
        grad_x.copy_(padded[self.pad:self.pad + frames])


def clip_product(joints: int,
                 weight: Tensor,
                 adjacency: Tensor,
                 stride: int,
                 window: int,
                 needs: Sequence[bool] = (False, False, False)) -> ClipProduct:
    """The cheapest order for these shapes; arguments as in ClipProduct."""
    _, channels, in_channels = weight.shape
    rows = window * joints
    # Multiplications per window and scale.
    channels_first = (stride * joints * in_channels + rows**2) * channels
    joints_first = (rows * channels + rows**2) * in_channels
    if joints_first < channels_first:
        kind = FewChannels
    else:
        kind = JointsFirst if window == stride == 1 else ChannelsFirst
    return kind(weight, adjacency, stride, window, needs=needs)
