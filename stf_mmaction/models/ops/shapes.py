"""Shapes and views that the operators share."""

import torch.nn.functional as F
from torch import Tensor


def out_frames(frames: int, stride: int) -> int:
    """Return T' = ceil(T / stride)."""
    return (frames - 1) // stride + 1


def pad_frames(x: Tensor, before: int, after: int) -> Tensor:
    """Put zero frames around (..., T, V, C)."""
    return F.pad(x, (0, 0, 0, 0, before, after)) if before or after else x


def channels_second(x: Tensor) -> Tensor:
    """View (B, T, V, C) as (B, C, T, V), the order of PyTorch's operators."""
    return x.permute(0, 3, 1, 2)


def window_view(y: Tensor, count: int, stride: int, window: int) -> Tensor:
    """View overlapping windows of frames as matrices, without a copy.

    Args:
        y (torch.Tensor): Frames, contiguous, shape (T, R, C).
        count (int): Windows; the last one ends within y.
        stride (int): Frames between windows.
        window (int): Frames w of a window.

    Returns:
        torch.Tensor: Shape (count, w R, C).
    """
    rows, channels = y.shape[1:]
    step = rows * channels
    return y.as_strided(
        (count, window * rows, channels), (stride * step, channels, 1), y.storage_offset()
    )
