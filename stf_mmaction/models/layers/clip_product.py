"""The graph convolution of one clip.

Z[t, (u, i)] = sum over (j, v, k) of A[(u, i), (j, v, k)] W_k x[s t + j, v]

The K times larger tensor between the two steps is the memory hog of MS-G3D.
Here it lives for one clip or less, in the cache, and is made again in the
backward pass.
"""

from typing import Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

SUMS = 2**18  # numbers of the partial sums of a gradient, side by side


def out_frames(frames: int, stride: int) -> int:
    """T' = ceil(T / stride)."""
    return (frames - 1) // stride + 1


def pad_frames(x: Tensor, before: int, after: int) -> Tensor:
    """Zero frames around (..., T, V, C)."""
    return F.pad(x, (0, 0, 0, 0, before, after)) if before or after else x


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
        margins (tuple[int]): Zero frames that :meth:`backward` wants before
            and after the gradient.
        grad_weight, grad_adjacency (torch.Tensor): Sums over the clips that
            :meth:`backward` has seen.
    """

    margins: Tuple[int, int] = (0, 0)

    def __init__(
        self,
        weight: Tensor,
        adjacency: Tensor,
        stride: int,
        window: int,
        needs: Sequence[bool] = (False, False, False),
    ) -> None:
        self.weight = weight
        self.flat = self._flatten(weight)
        self.matrix = self._arrange(adjacency)
        self.stride, self.window = stride, window
        self.pad = (window - 1) // 2
        self.needs = needs
        if any(needs):
            self._grad_weight = torch.zeros_like(self.flat)
            self._grad_matrix = torch.zeros_like(self.matrix)
            self._sums = None

    def forward(self, x: Tensor, clip: int, out: Tensor) -> None:
        """Convolve one clip.

        Args:
            x (torch.Tensor): Shape (T, V, C).
            clip (int): Which clip of the batch.
            out (torch.Tensor): Z, to be filled, shape (T', V w, D).
        """
        raise NotImplementedError

    def backward(self, x: Tensor, clip: int, grad: Tensor, grad_x: Tensor) -> None:
        """Collect the gradients of one clip.

        Args:
            x (torch.Tensor): Shape (T, V, C).
            clip (int): Which clip of the batch.
            grad (torch.Tensor): Of Z with the margins around it, contiguous,
                shape (margin + T' + margin, V w, D).
            grad_x (torch.Tensor): To be filled, shape (T, V, C).
        """
        raise NotImplementedError

    def _flatten(self, weight: Tensor) -> Tensor:
        """All W_k as one matrix."""
        raise NotImplementedError

    def _arrange(self, adjacency: Tensor) -> Tensor:
        """The adjacency as the product reads it, (1 or B, rows, columns)."""
        raise NotImplementedError

    def _collect(self, which: int, a: Tensor, b: Tensor) -> None:
        """Add a[t] b[t]^T of all frames to the gradient of a matrix.

        As some sums side by side: a product is too small to be shared by
        threads.

        Args:
            which (int): Of the matrices.
            a (torch.Tensor): Shape (frames, rows, D).
            b (torch.Tensor): Shape (frames, columns, D).
        """
        grad = self._grad_matrix[which]
        shared = len(self.matrix) == 1
        if self._sums is None:
            count = max(SUMS // grad.numel(), torch.get_num_threads())
            self._sums = grad.new_zeros(min(count, len(a)), *grad.shape)
        sums = self._sums
        for t in range(0, len(a), len(sums)):
            part = slice(t, t + len(sums))
            sums[: len(a) - t].baddbmm_(
                a[part], b[part].transpose(1, 2), beta=1 if shared or t else 0
            )
        if not shared:
            grad += sums[: len(a)].sum(0)

    def _collected(self) -> Tensor:
        """Gradient of the adjacency as :meth:`_arrange` gave it."""
        if len(self.matrix) == 1 and self._sums is not None:
            return self._sums.sum(0, keepdim=True)
        return self._grad_matrix

    def _scratch(self, like: Tensor, *shape: int) -> Tensor:
        """Memory that is used again for every clip."""
        kept = getattr(self, '_kept', None)
        if kept is None or kept.shape != shape:
            self._kept = kept = like.new_empty(shape)
        return kept
