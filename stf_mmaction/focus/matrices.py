"""Fixed matrices over time, computed once per length and device."""

from functools import lru_cache
from typing import Callable, Dict, Tuple

import numpy as np
import torch
from torch import Tensor

_KEPT: Dict[Tuple, Tensor] = {}
MOST = 64  # matrices kept; clips come in few lengths


@lru_cache(maxsize=MOST)
def interpolation(frames: int, out_frames: int) -> np.ndarray:
    """Return the matrix of linear interpolation along time (``align_corners=False``).

    A product has a deterministic gradient on every device; ``F.interpolate`` has none on CUDA.

    Args:
        frames (int): T'.
        out_frames (int): T.

    Returns:
        numpy.ndarray: Shape (T, T'), rows sum to 1.

    Example:
        >>> interpolation(2, 4)[:, 1].tolist()
        [0.0, 0.25, 0.75, 1.0]
    """
    place = (np.arange(out_frames) + 0.5) * frames / out_frames - 0.5
    place = place.clip(0, frames - 1)
    before = np.floor(place).astype(int)
    after = np.minimum(before + 1, frames - 1)
    out = np.zeros((out_frames, frames))
    rows = np.arange(out_frames)
    out[rows, before] = 1 - (place - before)
    out[rows, after] += place - before
    return out


@lru_cache(maxsize=MOST)
def bin_means(frames: int, bins: int) -> np.ndarray:
    """Return the matrix of means over equal parts of a clip, like ``F.adaptive_avg_pool1d``.

    That operator cannot be exported for all lengths.

    Args:
        frames (int): T.
        bins (int): Number of parts.

    Returns:
        numpy.ndarray: Shape (T, bins), columns sum to 1.

    Example:
        >>> bin_means(4, 2)[:, 0].tolist()
        [0.5, 0.5, 0.0, 0.0]
    """
    out = np.zeros((frames, bins))
    for i in range(bins):
        first = i * frames // bins
        stop = -(-(i + 1) * frames // bins)
        out[first:stop, i] = 1 / (stop - first)
    return out


def bin_means_of_operators(like: Tensor, frames: int, bins: int) -> Tensor:
    """Compute :func:`bin_means` by operators, so that an exported network accepts any length.

    Args:
        like (torch.Tensor): Gives device and dtype.
        frames (int): T; while a network is traced, its symbol.
        bins (int): Number of parts.

    Returns:
        torch.Tensor: Shape (T, bins), columns sum to 1.
    """
    bin_ = torch.arange(bins, device=like.device)
    first = torch.div(bin_ * frames, bins, rounding_mode='floor')
    stop = torch.div((bin_ + 1) * frames + bins - 1, bins, rounding_mode='floor')
    frame = torch.arange(frames, device=like.device).unsqueeze(1)
    inside = (frame >= first) & (frame < stop)
    return inside.to(like.dtype) / (stop - first).to(like.dtype)


def on_device_of(like: Tensor, build: Callable[..., np.ndarray], *sizes: int) -> Tensor:
    """Return a matrix with the device and dtype of a tensor; copied from the host only once.

    Args:
        like (torch.Tensor): Gives device and dtype.
        build (Callable): :func:`interpolation` or :func:`bin_means`.
        sizes (int): Its arguments.

    Returns:
        torch.Tensor: Shared; do not change it in place.
    """
    key = build.__name__, sizes, like.dtype, like.device
    # What is made while a network is traced, compiled or run on fake tensors is of that run only.
    passing = (
        torch.jit.is_tracing()
        or torch.compiler.is_compiling()
        or torch.is_inference_mode_enabled()
        or type(like.detach()) is not Tensor
    )
    if not passing and key in _KEPT:
        return _KEPT[key]
    matrix = torch.from_numpy(build(*sizes)).to(like)
    if not passing and type(matrix) is Tensor:
        if len(_KEPT) >= MOST:
            _KEPT.clear()
        _KEPT[key] = matrix
    return matrix


def kept_matrices() -> Tuple[Tensor, ...]:
    """Return all matrices that are kept now, so that the caller can keep them in memory."""
    return tuple(_KEPT.values())
