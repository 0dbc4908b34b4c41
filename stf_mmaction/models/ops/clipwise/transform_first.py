"""Transform first: W_k on the frames themselves, then the aggregation over joints.

A window of w frames would repeat each w times.
"""

from typing import Iterator, NamedTuple, Tuple

import torch
from torch import Tensor

from ..shapes import window_view
from .clip_product import ClipProduct


class Phase(NamedTuple):
    """The places in windows of the frames of one phase p, p + s, ... (docs/derivations.md).

    Attributes:
        matrix (torch.Tensor): The adjacency from those windows, in ascending order, to one
            frame, shape (1 or B, V K, windows V w).
        first (int): The first window that holds frame p, as an index into the gradient with its
            margins.
        windows (int): Number of windows that hold a frame.
    """

    matrix: Tensor
    first: int
    windows: int


def split_by_phase(places: Tensor, stride: int, pad: int, margin: int) -> Iterator[Phase]:
    """Split the places of a window by the phase of the frames that they hold.

    Frame f sits at place j = f + pad - s t of window t, so that a frame of phase p = f mod s
    sits at every s-th place, of neighbouring windows.

    Args:
        places (torch.Tensor): The adjacency of each place, (1 or B, w, V K, V w).
        stride (int): s.
        pad (int): (w - 1) / 2.
        margin (int): Zero windows before the first one.
    """
    for phase in range(stride):
        first = (phase + pad) % stride  # place
        own = places[:, first::stride].flip(1)  # windows in ascending order
        newest = (phase + pad - first) // stride  # window
        windows = own.shape[1]
        yield Phase(own.transpose(1, 2).flatten(2), margin + newest - windows + 1, windows)


class TransformFirst(ClipProduct):
    """For any window and stride; see :class:`ClipProduct`."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.needs[0] or self.needs[1]:
            self.margins = (
                (self.window - 1) // self.stride,
                (self.stride - 1 + self.pad) // self.stride,
            )
            count, cols, rows = self.matrix.shape
            places = self.matrix.view(count, self.window, -1, rows)
            self._phases = list(split_by_phase(places, self.stride, self.pad, self.margins[0]))

    def _flatten(self, weight: Tensor) -> Tensor:
        return weight.flatten(0, 1)  # (K D, C)

    def _arrange(self, adjacency: Tensor) -> Tensor:
        return adjacency.transpose(1, 2)  # this makes its gradient faster

    @property
    def grad_weight(self) -> Tensor:
        """torch.Tensor: The gradient of W_k, shape (K, D, C)."""
        return self._grad_weight.view_as(self.weight)

    @property
    def grad_adjacency(self) -> Tensor:
        """torch.Tensor: The gradient of A, of its shape."""
        return self._collected().transpose(1, 2)

    def _buffer(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """Return memory for the frames W_k x, (T, V K, D), within zero frames."""
        scales, channels, _ = self.weight.shape
        frames, joints, _ = x.shape
        inner = slice(self.pad, self.pad + frames)
        fresh = self._kept is None
        padded = self._scratch(x, frames + self.window - 1, joints * scales, channels)
        if fresh:
            padded[: inner.start].zero_()
            padded[inner.stop :].zero_()
        return padded, padded[inner]

    def _frames(self, x: Tensor) -> Tensor:
        """Compute W_k x, with zero frames around: (T + w - 1, V K, D)."""
        padded, inner = self._buffer(x)
        x = x.reshape(-1, x.shape[2])
        torch.mm(x, self.flat.t(), out=inner.view(len(x), -1))
        return padded

    def forward(self, x: Tensor, clip: int, out: Tensor) -> None:
        """Fill ``out`` (T', V w, D) with the convolution of one clip x (T, V, C)."""
        matrix = self.matrix[clip % len(self.matrix)].t()
        torch.bmm(
            matrix.expand(len(out), -1, -1),
            window_view(self._frames(x), len(out), self.stride, self.window),
            out=out,
        )

    def backward(self, x, clip, grad, grad_x) -> None:
        """Add the gradients of one clip; grad is (T', V w, D), ``grad_x`` (T, V, C) is filled."""
        which = clip % len(self.matrix)
        if self.needs[2]:
            before, after = self.margins
            inner = grad[before : len(grad) - after]
            windows = window_view(self._frames(x), len(inner), self.stride, self.window)
            self._collect(which, windows, inner)
        if self.needs[0] or self.needs[1]:
            rows = self._grad_frames(grad, which, x)
            torch.mm(rows, self.flat, out=grad_x.view(len(rows), -1))
            self._add_weight(rows, x.reshape(len(rows), -1))

    def _grad_frames(self, grad: Tensor, which: int, x: Tensor) -> Tensor:
        """Compute the gradient of the frames W_k x: (T V, K D).

        A frame receives gradients from all windows that hold it. Those are neighbours, so
        this is again one product per frame over a strided view, not a scatter. The result
        replaces the frames in memory.
        """
        _, out = self._buffer(x)
        for index, phase in enumerate(self._phases):
            part = out[index :: self.stride]
            torch.bmm(
                phase.matrix[which].expand(len(part), -1, -1),
                window_view(grad[phase.first :], len(part), 1, phase.windows),
                out=part,
            )
        return out.view(-1, len(self.flat))
