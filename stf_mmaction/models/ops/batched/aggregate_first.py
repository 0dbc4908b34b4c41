"""Aggregate first: over scales and joints, then W_k on the result."""

from typing import Optional

import torch
from torch import Tensor

from ..orders import by_scale, from_scale
from ..shapes import out_frames, pad_frames
from .budget import Total, chunks
from .product import BatchProduct

# A matrix per clip is copied for each of its frames if that moves fewer bytes (two passes at 1.5
# TB/s) than the GPU could move in the time of one launch (6 us) per clip.
COPY_BYTES = 2**22


class _Aggregating(BatchProduct):
    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.flat = self.weight.transpose(1, 2).flatten(0, 1)  # (K C, D)
        self.matrix = by_scale(self.adjacency, len(self.weight))  # (1 or B, R K, columns)

    def _of_clips(self, part: slice) -> Tensor:
        """Return the matrices of some clips, or the shared one."""
        return self.matrix if len(self.matrix) == 1 else self.matrix[part]

    def _grad_weight(self, total: Total) -> Tensor:
        scales, channels, in_channels = self.weight.shape
        assert total.value is not None  # there is at least one chunk
        grad = total.value.view(scales, in_channels, channels).transpose(1, 2)
        return grad.contiguous()  # strides of the weight, since DDP copies any others


class AggregateFirst(_Aggregating):
    """For windows of one frame: a small product per frame, all in one launch."""

    def _chunks(self, x: Tensor):
        frames, channels = x.shape[1], x.shape[3]
        product = frames * self.matrix.shape[1] * channels * x.element_size()
        return chunks(len(x), product)

    def forward(self, x, out) -> None:
        """Fill ``out`` (B, T', V w, D) with the convolution of x (B, T, V, C)."""
        for part in self._chunks(x):
            product = times_frames(self._of_clips(part), x[part])
            rows = out[part].view(-1, out.shape[3])
            torch.mm(product.view(-1, len(self.flat)), self.flat, out=rows)

    def backward(self, x, grad, needs):
        """Return the gradients of x, W and A that are needed; grad is (B, T', V w, D)."""
        channels = x.shape[3]
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
        of_weight, of_matrix, own_matrices = Total(), Total(), []
        for part in self._chunks(x):
            matrix, rows = self._of_clips(part), grad[part].reshape(-1, grad.shape[3])
            product = times_frames(matrix, x[part])
            flat = product.view(-1, len(self.flat))
            if needs[1]:
                of_weight.add_product(flat.t(), rows)
            torch.mm(rows, self.flat.t(), out=flat)  # now the gradient of the product
            if needs[2]:
                frames = x[part].reshape(-1, *x.shape[2:])
                each = torch.bmm(product, frames.transpose(1, 2))  # (B T, V K, V)
                dtype = torch.promote_types(x.dtype, torch.float32)
                if len(self.matrix) == 1:
                    of_matrix.add(each.sum(0, keepdim=True, dtype=dtype))
                else:
                    each = each.view(-1, x.shape[1], *each.shape[1:])
                    own_matrices.append(each.sum(1, dtype=dtype))
            if needs[0]:
                back = matrix.transpose(1, 2)
                clips = product.view(-1, x.shape[1], matrix.shape[1], channels)
                times_frames(back, clips, grad_x[part])
        of_adjacency = torch.cat(own_matrices) if own_matrices else of_matrix.value
        return (
            grad_x if needs[0] else None,
            self._grad_weight(of_weight) if needs[1] else None,
            from_scale(of_adjacency, len(self.weight)) if needs[2] else None,
        )


def times_frames(matrix: Tensor, x: Tensor, out: Optional[Tensor] = None) -> Tensor:
    """Multiply every frame by the matrix of its clip.

    Args:
        matrix (torch.Tensor): Shape (1 or B, R, V).
        x (torch.Tensor): Shape (B, T, V, C).
        out (torch.Tensor, optional): To be filled, contiguous, shape (B, T, R, C).

    Returns:
        torch.Tensor: Shape (B T, R, C).
    """
    clips, frames, joints, channels = x.shape
    rows = matrix.shape[1]
    out = (
        x.new_empty(clips * frames, rows, channels) if out is None else out.view(-1, rows, channels)
    )
    flat = x.reshape(-1, joints, channels)
    if len(matrix) == 1:
        return torch.bmm(matrix.expand(len(flat), -1, -1), flat, out=out)
    if frames * rows * joints * x.element_size() <= COPY_BYTES:
        copies = matrix[:, None].expand(-1, frames, -1, -1).reshape(-1, rows, joints)
        return torch.bmm(copies, flat, out=out)
    for own, of_clip, result in zip(matrix, flat.split(frames), out.split(frames)):
        torch.bmm(own.expand(frames, -1, -1), of_clip, out=result)
    return out


class FewChannels(_Aggregating):
    """For any window if C is much smaller than D: one product for all clips."""

    def _chunks(self, x: Tensor):
        clips, frames, _, channels = x.shape
        rows = self.matrix.shape[1] + self.matrix.shape[2]
        numbers = out_frames(frames, self.stride) * rows * channels
        return chunks(clips, 2 * numbers * x.element_size())

    def _unfold(self, x: Tensor) -> Tensor:
        """Copy windows: (B, T, V, C) -> (C, B, T', w V); cheap for few channels."""
        last = (out_frames(x.shape[1], self.stride) - 1) * self.stride + 1
        x = pad_frames(x, self.pad, self.pad).permute(3, 0, 1, 2)
        places = [x[:, :, j : j + last : self.stride] for j in range(self.window)]
        return torch.stack(places, 3).flatten(3)

    def _aggregate(self, unfolded: Tensor, matrix: Tensor) -> Tensor:
        """Aggregate (C, B, T', w V) -> (B T' V w, K C)."""
        channels = self.weight.shape[2]
        product = _times(unfolded, matrix.transpose(1, 2)).view(channels, -1)
        return torch.stack(product.unbind(), 1).view(-1, len(self.flat))

    def forward(self, x, out) -> None:
        """Fill ``out`` (B, T', V w, D) with the convolution of x (B, T, V, C)."""
        for part in self._chunks(x):
            product = self._aggregate(self._unfold(x[part]), self._of_clips(part))
            torch.mm(product, self.flat, out=out[part].view(len(product), -1))

    def backward(self, x, grad, needs):
        """Return the gradients of x, W and A that are needed; grad is (B, T', V w, D)."""
        channels = x.shape[3]
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
        of_weight, of_matrix, own_matrices = Total(), Total(), []
        for part in self._chunks(x):
            matrix, rows = self._of_clips(part), grad[part].reshape(-1, grad.shape[3])
            unfolded = self._unfold(x[part])
            if needs[1]:
                of_weight.add_product(self._aggregate(unfolded, matrix).t(), rows)
            if not (needs[0] or needs[2]):
                continue
            product = (rows @ self.flat.t()).view(-1, channels)
            product = torch.stack(product.unbind(1))  # (C, B T' R K)
            product = product.view(*unfolded.shape[:3], -1)
            if needs[2] and len(self.matrix) == 1:
                of_matrix.add_product(product.flatten(0, 2).t(), unfolded.flatten(0, 2))
            elif needs[2]:
                each = product.transpose(2, 3) @ unfolded
                dtype = torch.promote_types(x.dtype, torch.float32)
                own_matrices.append(each.sum(0, dtype=dtype))
            if needs[0]:
                grad_x[part] = self._fold(_times(product, matrix), x.shape[1])
        of_adjacency = None
        if needs[2]:
            of_adjacency = torch.cat(own_matrices) if own_matrices else of_matrix.value[None]
            of_adjacency = from_scale(of_adjacency, len(self.weight))
        return (
            grad_x if needs[0] else None,
            self._grad_weight(of_weight) if needs[1] else None,
            of_adjacency,
        )

    def _fold(self, grad: Tensor, frames: int) -> Tensor:
        """Add up the gradient of windows, (C, B, T', w V) -> (B, T, V, C)."""
        channels, clips, count, _ = grad.shape
        grad = grad.unflatten(3, (self.window, -1))
        last = (count - 1) * self.stride + 1
        padded = grad.new_zeros(clips, frames + self.window - 1, grad.shape[4], channels)
        for j in range(self.window):
            padded[:, j : j + last : self.stride] += grad[:, :, :, j].permute(1, 2, 3, 0)
        return padded[:, self.pad : self.pad + frames]


def _times(x: Tensor, matrix: Tensor) -> Tensor:
    """Multiply (C, B, T', columns) by (1 or B, columns, rows)."""
    return x @ (matrix[0] if len(matrix) == 1 else matrix)
