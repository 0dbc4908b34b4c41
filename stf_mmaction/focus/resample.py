"""Map a focus back to the frames of the clip from which the inputs were sampled."""

import numpy as np
import torch
from torch import Tensor


def focus_of_frames(focus: Tensor, origin: Tensor, frames: int) -> Tensor:
    """Map the focus of sampled frames back to the frames of the clip.

    Frames that were sampled several times get the mean. Frames between sampled
    ones are interpolated linearly; frames beyond them get the nearest.

    Args:
        focus (torch.Tensor): Q of each sampled clip, shape (N, M, T', V).
        origin (torch.Tensor): The frame of the whole clip that each sampled
            frame comes from, -1 for padding, integers, shape (N, T').
        frames (int): T of the whole clip.

    Returns:
        torch.Tensor: Shape (M, T, V).

    Example:
        >>> q = torch.tensor([0.0, 1.0]).view(1, 1, 2, 1)
        >>> focus_of_frames(q, torch.tensor([[0, 2]]), 4).flatten()
        tensor([0.0000, 0.5000, 1.0000, 1.0000])
    """
    persons, _, joints = focus.shape[1:]
    weights = torch.from_numpy(frame_weights(origin.cpu().numpy(), frames)).to(focus)
    samples = focus.transpose(1, 2).flatten(0, 1).flatten(1)  # (N T', M V)
    return (weights @ samples).view(frames, persons, joints).transpose(0, 1)


def frame_weights(origin: np.ndarray, frames: int) -> np.ndarray:
    """Compute the weight of each sampled frame in each frame of the clip.

    Args:
        origin (numpy.ndarray): As in :func:`focus_of_frames`, shape (N, T').
        frames (int): T.

    Returns:
        numpy.ndarray: Rows that add up to 1, float64, shape (T, N T').

    Example:
        >>> frame_weights(np.array([[0, 2]]), 3).tolist()
        [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    flat = origin.ravel()
    samples = np.flatnonzero(flat >= 0)
    known, which = np.unique(flat[samples], return_inverse=True)
    mean = np.zeros((len(known), len(flat)))
    mean[which, samples] = 1
    mean /= mean.sum(1, keepdims=True)
    every = np.arange(frames)
    after = np.searchsorted(known, every).clip(max=len(known) - 1)
    before = (np.searchsorted(known, every, 'right') - 1).clip(min=0)
    # Outside of the sampled frames before and after are the same.
    way = (every - known[before]) / (known[after] - known[before]).clip(min=1)
    return mean[before] + way[:, None] * (mean[after] - mean[before])
