"""The graph convolution of one clip.

Z[t, (u, i)] = sum over (j, v, k) of A[(u, i), (j, v, k)] W_k x[s t + j, v]

In the published MS-G3D, the K times larger tensor between the two steps fills the memory. Here
it exists for one clip or less, in the cache, and is recomputed in the backward pass.
"""

from typing import Optional, Sequence, Tuple

import torch
from torch import Tensor

from .caches import PARTIAL_SUMS

NONE = (False, False, False)


class ClipProduct:
    """One order of transforming channels and aggregating joints.

    Args:
        weight (torch.Tensor): W_k, shape (K, D, C).
        adjacency (torch.Tensor): Shape (1 or B, V w, w V K).
        stride (int): Frames between windows.
        window (int): Frames w of a window.
        needs (Sequence[bool]): Which gradients :meth:`backward` computes: of x, of the weight,
            of the adjacency. Defaults to none.

    Attributes:
        margins (tuple[int]): Zero frames that :meth:`backward` expects before and after the
            gradient.
        grad_weight, grad_adjacency (torch.Tensor): Sums over the clips for which
            :meth:`backward` has run, at least float32.
    """

    margins: Tuple[int, int] = (0, 0)

    def __init__(
        self,
        weight: Tensor,
        adjacency: Tensor,
        stride: int,
        window: int,
        needs: Sequence[bool] = NONE,
    ) -> None:
        self.weight = weight
        self.flat = self._flatten(weight)
        self.matrix = self._arrange(adjacency)
        self.stride, self.window = stride, window
        self.pad = (window - 1) // 2
        self.needs = needs
        self._kept: Optional[Tensor] = None
        if any(needs):
            dtype = torch.promote_types(weight.dtype, torch.float32)
            self._grad_weight = torch.zeros_like(self.flat, dtype=dtype)
            self._grad_matrix = torch.zeros_like(self.matrix, dtype=dtype)
            self._sums: Optional[Tensor] = None

    def forward(self, x: Tensor, clip: int, out: Tensor) -> None:
        """Convolve one clip.

        Args:
            x (torch.Tensor): Shape (T, V, C).
            clip (int): Its index in the batch.
            out (torch.Tensor): Z, to be filled, shape (T', V w, D).
        """
        raise NotImplementedError

    def backward(self, x: Tensor, clip: int, grad: Tensor, grad_x: Tensor) -> None:
        """Collect the gradients of one clip.

        Args:
            x (torch.Tensor): Shape (T, V, C).
            clip (int): Its index in the batch.
            grad (torch.Tensor): Gradient of Z with the margins around it, contiguous, shape
                (margin + T' + margin, V w, D).
            grad_x (torch.Tensor): To be filled, shape (T, V, C).
        """
        raise NotImplementedError

    @property
    def grad_weight(self) -> Tensor:
        """torch.Tensor: The gradient of W, (K, D, C)."""
        raise NotImplementedError

    @property
    def grad_adjacency(self) -> Tensor:
        """torch.Tensor: The gradient of A, (1 or B, V w, w V K)."""
        raise NotImplementedError

    def _flatten(self, weight: Tensor) -> Tensor:
        """Arrange all W_k as one matrix."""
        raise NotImplementedError

    def _arrange(self, adjacency: Tensor) -> Tensor:
        """Arrange the adjacency for the product, (1 or B, rows, columns)."""
        raise NotImplementedError

    def _add_weight(self, a: Tensor, b: Tensor) -> None:
        """Add a^T b, (rows, .)^T (rows, .), to the gradient of the weight."""
        add_product(self._grad_weight, a.t(), b)

    def _collect(self, which: int, a: Tensor, b: Tensor) -> None:
        """Add a[t] b[t]^T of all frames to the gradient of a matrix.

        It uses several partial sums: one product is too small to be split among
        threads.

        Args:
            which (int): Index of the matrix.
            a (torch.Tensor): Shape (frames, rows, D).
            b (torch.Tensor): Shape (frames, columns, D).
        """
        grad = self._grad_matrix[which]
        if grad.dtype != a.dtype:  # half precision: sums in float32
            grad += torch.bmm(a, b.transpose(1, 2)).sum(0, dtype=grad.dtype)
            return
        shared = len(self.matrix) == 1
        if self._sums is None:
            count = max(PARTIAL_SUMS // grad.numel(), torch.get_num_threads())
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
        """Return the gradient of the adjacency in the arrangement of :meth:`_arrange`."""
        if len(self.matrix) == 1 and self._sums is not None:
            return self._sums.sum(0, keepdim=True)
        return self._grad_matrix

    def _scratch(self, like: Tensor, *shape: int) -> Tensor:
        """Return memory that is reused for every clip."""
        if self._kept is None or self._kept.shape != shape:
            self._kept = like.new_empty(shape)
        return self._kept


def add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add the product of a (R, S) and b (S, Q) to a total that may be of higher precision."""
    if total.dtype == a.dtype:
        total.addmm_(a, b)
    else:
        total += a @ b
