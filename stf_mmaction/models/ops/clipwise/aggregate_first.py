"""Aggregate first: over scales and joints, then W_k on the result."""

from math import ceil

import torch
from torch import Tensor

from ..orders import by_scale, from_scale
from ..shapes import out_frames, pad_frames
from .caches import SCRATCH
from .clip_product import ClipProduct, add_product


class _Aggregating(ClipProduct):
    def _flatten(self, weight: Tensor) -> Tensor:
        return weight.transpose(1, 2).flatten(0, 1)  # (K C, D)

    @property
    def grad_weight(self) -> Tensor:
        scales, channels, in_channels = self.weight.shape
        grad = self._grad_weight.view(scales, in_channels, channels).transpose(1, 2)
        return grad.contiguous()  # strides of the weight, since DDP copies any others

    def _arrange(self, adjacency: Tensor) -> Tensor:
        return by_scale(adjacency, len(self.weight))

    @property
    def grad_adjacency(self) -> Tensor:
        """torch.Tensor: The gradient of A, of its shape."""
        return from_scale(self._collected(), len(self.weight))


class AggregateFirst(_Aggregating):
    """For windows of one frame: a small product per frame.

    It takes as many multiplications as the other order, but the backward pass recomputes the
    cheaper step.
    """

    def _parts(self, frames: int):
        most = SCRATCH // (self.matrix.shape[1] * self.weight.shape[2])
        count = ceil(frames / ceil(frames / max(most, 1)))  # of equal size
        for start in range(0, frames, count):
            yield slice(start, min(frames, start + count)), count

    def forward(self, x: Tensor, clip: int, out: Tensor) -> None:
        """Fill ``out`` (T', V w, D) with the convolution of one clip x (T, V, C)."""
        matrix = self.matrix[clip % len(self.matrix)]
        for part, count in self._parts(len(x)):
            product = self._aggregate(matrix, x[part], count)
            torch.mm(
                product.view(-1, len(self.flat)),
                self.flat,
                out=out[part].view(-1, self.flat.shape[1]),
            )

    def _aggregate(self, matrix: Tensor, x: Tensor, count: int) -> Tensor:
        scratch = self._scratch(x, count, len(matrix), x.shape[2])
        return torch.bmm(matrix.expand(len(x), -1, -1), x, out=scratch[: len(x)])

    def backward(self, x, clip, grad, grad_x) -> None:
        """Add the gradients of one clip; grad is (T', V w, D), ``grad_x`` (T, V, C) is filled."""
        which = clip % len(self.matrix)
        matrix = self.matrix[which]
        for part, count in self._parts(len(x)):
            rows = grad[part].view(-1, self.flat.shape[1])
            product = self._aggregate(matrix, x[part], count)
            flat = product.view(-1, len(self.flat))
            if self.needs[1]:
                self._add_weight(flat, rows)
            torch.mm(rows, self.flat.t(), out=flat)  # now the gradient of the product
            if self.needs[2]:
                self._collect(which, product, x[part])
            if self.needs[0]:
                torch.bmm(matrix.t().expand(len(product), -1, -1), product, out=grad_x[part])


class FewChannels(_Aggregating):
    """For any window if C is much smaller than D: one product per clip.

    This is the case in the first block, which reads coordinates.
    """

    def _unfold(self, x: Tensor) -> Tensor:
        """Copy windows: (T, V, C) -> (C T', w V); cheap for few channels."""
        count = out_frames(len(x), self.stride)
        last = (count - 1) * self.stride + 1
        x = pad_frames(x, self.pad, self.pad).permute(2, 0, 1)
        places = [x[:, j : j + last : self.stride] for j in range(self.window)]
        return torch.stack(places, 2).flatten(0, 1).flatten(1)

    def _aggregate(self, unfolded: Tensor, clip: int) -> Tensor:
        """Aggregate (C T', w V) -> (T' V w, K C)."""
        channels = self.weight.shape[2]
        matrix = self.matrix[clip % len(self.matrix)]
        product = (unfolded @ matrix.t()).view(channels, -1)
        # With few channels, this is four times as fast as a copy of the transpose.
        return torch.stack(product.unbind(), 1).view(-1, len(self.flat))

    def forward(self, x: Tensor, clip: int, out: Tensor) -> None:
        """Fill ``out`` (T', V w, D) with the convolution of one clip x (T, V, C)."""
        product = self._aggregate(self._unfold(x), clip)
        torch.mm(product, self.flat, out=out.view(len(product), -1))

    def backward(self, x, clip, grad, grad_x) -> None:
        """Add the gradients of one clip; grad is (T', V w, D), ``grad_x`` (T, V, C) is filled."""
        which = clip % len(self.matrix)
        frames, joints, channels = x.shape
        count, window = len(grad), self.window
        unfolded = self._unfold(x)
        rows = grad.view(-1, self.flat.shape[1])
        self._add_weight(self._aggregate(unfolded, clip), rows)
        product = (rows @ self.flat.t()).view(-1, channels)
        product = torch.stack(product.unbind(1)).view(channels * count, -1)
        self._add_matrix(which, product, unfolded)
        if not self.needs[0]:
            return
        parts = (product @ self.matrix[which]).view(channels, count, window, joints)
        last = (count - 1) * self.stride + 1
        padded = x.new_zeros(frames + window - 1, joints, channels)
        for j in range(window):
            padded[j : j + last : self.stride] += parts[:, :, j].permute(1, 2, 0)
        grad_x.copy_(padded[self.pad : self.pad + frames])

    def _add_matrix(self, which: int, a: Tensor, b: Tensor) -> None:
        add_product(self._grad_matrix[which], a.t(), b)
