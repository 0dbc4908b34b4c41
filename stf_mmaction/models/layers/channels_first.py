"""Channels first: W_k on the frames themselves, then the joints.

A window of w frames would repeat each w times.
"""

from typing import Iterator, List, Tuple

import torch
from torch import Tensor

from .clip_product import ClipProduct


def _windows(y: Tensor, frames: int, stride: int, window: int) -> Tensor:
    """(T, R, C) contiguous -> view (frames, window R, C)."""
    rows, channels = y.shape[1:]
    step = rows * channels
    return y.as_strided((frames, window * rows, channels), (stride * step, channels, 1))


class ChannelsFirst(ClipProduct):
    """For any window and stride; see :class:`ClipProduct`."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.needs[0] or self.needs[1]:
            self.margins = (
                (self.window - 1) // self.stride,
                (self.stride - 1 + self.pad) // self.stride,
            )
            self._phases = list(self._split_by_phase())

    def _flatten(self, weight: Tensor) -> Tensor:
        return weight.flatten(0, 1)  # (K D, C)

    def _arrange(self, adjacency: Tensor) -> Tensor:
        return adjacency.transpose(1, 2)  # its gradient is faster so

    @property
    def grad_weight(self) -> Tensor:
        return self._grad_weight.view_as(self.weight)

    @property
    def grad_adjacency(self) -> Tensor:
        return self._collected().transpose(1, 2)

    def _buffer(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """Memory for the frames W_k x, (T, V K, D), within zero frames."""
        scales, channels, _ = self.weight.shape
        frames, joints, _ = x.shape
        inner = slice(self.pad, self.pad + frames)
        fresh = not hasattr(self, '_kept')
        padded = self._scratch(x, frames + self.window - 1, joints * scales, channels)
        if fresh:
            padded[: inner.start].zero_()
            padded[inner.stop :].zero_()
        return padded, padded[inner]

    def _frames(self, x: Tensor) -> Tensor:
        """W_k x and zero frames around: (T + w - 1, V K, D)."""
        padded, inner = self._buffer(x)
        x = x.reshape(-1, x.shape[2])
        torch.mm(x, self.flat.t(), out=inner.view(len(x), -1))
        return padded

    def forward(self, x: Tensor, clip: int, out: Tensor) -> None:
        matrix = self.matrix[clip % len(self.matrix)].t()
        torch.bmm(
            matrix.expand(len(out), -1, -1),
            _windows(self._frames(x), len(out), self.stride, self.window),
            out=out,
        )

    def backward(self, x, clip, grad, grad_x) -> None:
        which = clip % len(self.matrix)
        if self.needs[2]:
            before, after = self.margins
            inner = grad[before : len(grad) - after]
            windows = _windows(self._frames(x), len(inner), self.stride, self.window)
            self._collect(which, windows, inner)
        if self.needs[0] or self.needs[1]:
            rows = self._grad_frames(grad, which, x)
            torch.mm(rows, self.flat, out=grad_x.view(len(rows), -1))
            self._grad_weight.addmm_(rows.t(), x.reshape(len(rows), -1))

    def _split_by_phase(self) -> Iterator[Tuple[List[int], Tensor, int]]:
        """Which places of which windows hold the frames p, p + s, ...

        Frame f sits at place j = f + pad - s t of window t, so a frame of
        phase p = f mod s sits at every s-th place, of neighbouring windows.

        Yields:
            tuple: The matrices from those places, (1 or B, V K, places V w);
            the first window of frame p, as an index into the gradient with
            its margins; and how many windows.
        """
        count, cols, rows = self.matrix.shape
        places = self.matrix.view(count, self.window, -1, rows)
        for phase in range(self.stride):
            first = (phase + self.pad) % self.stride
            own = places[:, first :: self.stride].flip(1)  # of rising windows
            newest = (phase + self.pad - first) // self.stride
            yield (
                own.transpose(1, 2).flatten(2),
                self.margins[0] + newest - own.shape[1] + 1,
                own.shape[1],
            )

    def _grad_frames(self, grad: Tensor, which: int, x: Tensor) -> Tensor:
        """Gradient of the frames W_k x: (T V, K D).

        A frame collects from all windows that hold it. Those are neighbours,
        so this is again one product per frame over a strided view, not a
        scatter. It takes the place of the frames.
        """
        _, out = self._buffer(x)
        for phase, (matrix, start, count) in enumerate(self._phases):
            part = out[phase :: self.stride]
            torch.bmm(
                matrix[which].expand(len(part), -1, -1),
                _windows(grad[start:], len(part), 1, count),
                out=part,
            )
        return out.view(-1, len(self.flat))
