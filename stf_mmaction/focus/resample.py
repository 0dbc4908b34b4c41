"""Focus in the frames of the clip that a network's inputs were taken from."""

import torch
from torch import Tensor


def focus_of_frames(focus: Tensor, origin: Tensor, frames: int) -> Tensor:
    """Map the focus of sampled frames back to the frames of the clip.

    A frame that was sampled several times gets the mean. Frames between sampled
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
    real = origin >= 0
    samples = focus.transpose(1, 2)[real]  # (samples, M, V)
    known, which = origin[real].unique(return_inverse=True)
    total = focus.new_zeros(len(known), *samples.shape[1:])
    count = torch.bincount(which).to(focus)[:, None, None]
    mean = total.index_add(0, which, samples) / count
    every = torch.arange(frames, device=origin.device)
    after = torch.searchsorted(known, every).clamp(max=len(known) - 1)
    before = (torch.searchsorted(known, every, right=True) - 1).clamp(min=0)
    way = (every - known[before]) / (known[after] - known[before]).clamp(min=1)
    # Outside of the sampled frames before and after are the same.
    laid = torch.lerp(mean[before], mean[after], way.to(focus)[:, None, None])
    return laid.transpose(0, 1)
