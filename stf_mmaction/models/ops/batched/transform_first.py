"""Transform first: W_k on the frames themselves, then the aggregation over joints.

All clips lie one after the other in one tensor of frames, so that windows are one strided view
and each product is one launch.
"""

from typing import Dict, Iterator, NamedTuple

import torch
from torch import Tensor

from ..shapes import window_view
from .budget import Total, chunks, partial_sums
from .product import BatchProduct


class Phase(NamedTuple):
    """The places in windows of the frames of one phase p, p + s, ... (docs/derivations.md).

    Attributes:
        matrix (torch.Tensor): The adjacency from those windows, in ascending order, to one
            frame, shape (1 or B, V K, windows V w).
        windows (int): Number of windows that hold a frame.
    """

    matrix: Tensor
    windows: int


class TransformFirst(BatchProduct):
    """For any window and stride.

    A clip takes ``per`` windows, the last of which reach beyond it and are not used: clip i and
    its zero frames are frames i s per to (i + 1) s per, and window t of it is window i per + t.
    """

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.flat = self.weight.flatten(0, 1)  # (K D, C)

    def _per(self, frames: int) -> int:
        return -(-(frames + self.window - 1) // self.stride)

    def _chunks(self, x: Tensor):
        scales, channels, _ = self.weight.shape
        numbers = self._per(x.shape[1]) * self.stride * x.shape[2] * scales * channels
        return chunks(len(x), numbers * x.element_size())

    def _padded(self, x: Tensor) -> Tensor:
        """Place the clips among zero frames: (B, T, V, C) -> (B per s + w, V, C)."""
        clips, frames, joints, channels = x.shape
        length = self._per(frames) * self.stride
        out = x.new_zeros(clips * length + self.window, joints, channels)
        inner = out[: clips * length].view(clips, length, joints, channels)
        inner[:, self.pad : self.pad + frames] = x
        return out

    def _transform(self, padded: Tensor) -> Tensor:
        """Compute W_k x: (frames, V, C) -> (frames, V K, D)."""
        scales, channels, in_channels = self.weight.shape
        y = torch.mm(padded.view(-1, in_channels), self.flat.t())
        return y.view(len(padded), -1, channels)

    def forward(self, x, out) -> None:
        """Fill ``out`` (B, T', V w, D) with the convolution of x (B, T, V, C)."""
        per = self._per(x.shape[1])
        for part in self._chunks(x):
            frames = self._transform(self._padded(x[part]))
            own = out[part]
            windows = window_view(frames, len(own) * per, self.stride, self.window)
            # One launch per clip: a single one would also compute the unused windows, and drop
            # them in a copy of the result.
            for n, result in enumerate(own):
                matrix = self._matrix(part.start + n).expand(len(result), -1, -1)
                torch.bmm(matrix, windows[n * per : n * per + len(result)], out=result)

    def _matrix(self, clip: int) -> Tensor:
        return self.adjacency[clip % len(self.adjacency)]

    def backward(self, x, grad, needs):
        """Return the gradients of x, W and A that are needed; grad is (B, T', V w, D)."""
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
        of_weight, of_adjacency = Total(), _AdjacencyGradient(self.adjacency)
        phases = list(self._phases()) if needs[0] or needs[1] else []
        for part in self._chunks(x):
            padded = self._padded(x[part])
            frames = self._transform(padded)
            windows_grad = self._with_zeros(grad[part], self._per(x.shape[1]))
            if needs[2]:
                self._collect(frames, windows_grad, len(x[part]), part.start, of_adjacency)
            if not phases:
                continue
            rows = self._grad_frames(frames, windows_grad, phases, part).flatten(0, 1)
            rows = rows.view(-1, len(self.flat))
            if needs[1]:
                of_weight.add_product(rows.t(), padded.view(-1, x.shape[3]))
            if needs[0]:
                own = torch.mm(rows, self.flat)[: -self.window * x.shape[2]]
                own = own.view(len(x[part]), -1, *x.shape[2:])
                grad_x[part] = own[:, self.pad : self.pad + x.shape[1]]
        return (
            grad_x if needs[0] else None,
            of_weight.value.view_as(self.weight) if needs[1] else None,
            of_adjacency.result() if needs[2] else None,
        )

    @property
    def _front(self) -> int:
        """Number of zero windows before the first one, in which the first frames would lie."""
        return (self.window - 1) // self.stride

    def _with_zeros(self, grad: Tensor, per: int) -> Tensor:
        """Place the gradient of windows among zeros: (b, T', R, D) -> (front + b per + w, R, D)."""
        clips, count, rows, channels = grad.shape
        out = grad.new_zeros(self._front + clips * per + self.window, rows, channels)
        inner = out[self._front : self._front + clips * per]
        inner.view(clips, per, rows, channels)[:, :count] = grad
        return out

    def _collect(
        self, frames: Tensor, grad: Tensor, clips: int, start: int, total: '_AdjacencyGradient'
    ) -> None:
        per = (len(grad) - self._front - self.window) // clips
        inner = grad[self._front : self._front + clips * per]
        windows = window_view(frames, clips * per, self.stride, self.window)
        if len(self.adjacency) == 1:
            total.add(0, inner, windows)
            return
        for n, (g, w) in enumerate(zip(inner.split(per), windows.split(per))):
            total.add(start + n, g, w)

    def _phases(self) -> Iterator[Phase]:
        """Split the places of a window by the phase of the frames that they hold.

        Padded frame f sits at place f - s t of window t, so that one of phase p = f mod s sits
        at places p, p + s, ... of windows f // s, f // s - 1, ...
        """
        count, rows, _ = self.adjacency.shape
        places = self.adjacency.transpose(1, 2).reshape(count, self.window, -1, rows)
        for phase in range(self.stride):
            own = places[:, phase :: self.stride].flip(1)  # windows in ascending order
            yield Phase(own.transpose(1, 2).flatten(2), own.shape[1])

    def _grad_frames(self, frames: Tensor, grad: Tensor, phases, part: slice) -> Tensor:
        """Compute the gradient of the frames W_k x in their memory, (frames, V K, D).

        A frame receives gradients from all windows that hold it. Those are neighbours, so
        this is again one product per frame over a strided view, not a scatter.
        """
        used = len(frames) - self.window
        frames[used:].zero_()
        for index, phase in enumerate(phases):
            out = frames[index : used : self.stride]
            first = self._front - phase.windows + 1
            windows = window_view(grad[first:], len(out), 1, phase.windows)
            if len(phase.matrix) == 1:
                torch.bmm(phase.matrix.expand(len(out), -1, -1), windows, out=out)
                continue
            per = len(out) // (part.stop - part.start)
            for n, (own, of_clip) in enumerate(zip(out.split(per), windows.split(per))):
                matrix = phase.matrix[part.start + n].expand(per, -1, -1)
                torch.bmm(matrix, of_clip, out=own)
        return frames


class _AdjacencyGradient:
    """Sum over windows of grad (R, D) times window (w V K, D) transposed, per matrix.

    Args:
        adjacency (torch.Tensor): Shape (1 or B, R, w V K).
    """

    def __init__(self, adjacency: Tensor) -> None:
        dtype = torch.promote_types(adjacency.dtype, torch.float32)
        self.count = partial_sums(adjacency, adjacency[0].numel())
        self.matrices = len(adjacency)
        self.sums: Dict[int, Tensor] = {}
        self.exact = dtype == adjacency.dtype
        self.dtype = dtype

    def add(self, which: int, grad: Tensor, windows: Tensor) -> None:
        """Add all windows, in several partial sums so that a launch has enough work."""
        windows = windows.transpose(1, 2)
        if not self.exact:  # half precision: one product per window, summed in float32
            for g, w in zip(grad.split(self.count), windows.split(self.count)):
                total = torch.bmm(g, w).sum(0, dtype=self.dtype)
                kept = self.sums.get(which)
                self.sums[which] = total[None] if kept is None else kept.add_(total)
            return
        for g, w in zip(grad.split(self.count), windows.split(self.count)):
            kept = self.sums.get(which)
            if kept is None:
                self.sums[which] = torch.bmm(g, w)
            else:
                kept[: len(g)].baddbmm_(g, w)

    def result(self) -> Tensor:
        """Return the gradient of the adjacency, (1 or B, R, w V K)."""
        return torch.stack([self.sums[which].sum(0) for which in range(self.matrices)])
