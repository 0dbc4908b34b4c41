"""The memory that one operator may use at a time on a GPU."""

from typing import Iterator, Optional

import torch
from torch import Tensor

CHUNK_BYTES = 2**29  # bytes of temporaries; a larger batch runs in chunks of whole clips
L2_BYTES = 40 * 2**20  # that of an A100, if there is no GPU to ask


def chunks(clips: int, bytes_per_clip: int) -> Iterator[slice]:
    """Split a batch into chunks of whole clips, as equal as possible, within the memory budget.

    Args:
        clips (int): B.
        bytes_per_clip (int): Bytes of temporaries for one clip.

    Yields:
        slice: At least one clip.
    """
    most = max(1, CHUNK_BYTES // max(bytes_per_clip, 1))
    parts = -(-clips // most)
    size = -(-clips // parts)
    for start in range(0, clips, size):
        yield slice(start, min(clips, start + size))


def partial_sums(like: Tensor, numbers: int) -> int:
    """Return how many sums of this size fit into half of the L2 cache.

    They are read and written for every window, so they should stay in the
    cache.

    Args:
        like (torch.Tensor): Gives the device.
        numbers (int): Number of float32 values in one sum.
    """
    cache = L2_BYTES
    if like.is_cuda:
        cache = torch.cuda.get_device_properties(like.device).L2_cache_size or cache
    return max(1, cache // 2 // (4 * numbers))


class Total:
    """A sum over chunks, in float32 at least.

    Attributes:
        value (torch.Tensor, optional): The sum so far.
    """

    def __init__(self) -> None:
        self.value: Optional[Tensor] = None

    def add_product(self, a: Tensor, b: Tensor) -> None:
        """Add the product of a (R, S) and b (S, Q), accumulated in float32, as on tensor cores."""
        dtype = torch.promote_types(a.dtype, torch.float32)
        if self.value is None:
            self.value = torch.mm(a, b).to(dtype)
        elif dtype == a.dtype:
            self.value.addmm_(a, b)
        else:
            self.value += torch.mm(a, b)

    def add(self, part: Tensor) -> None:
        """Add a tensor of the shape of the sum."""
        self.value = part if self.value is None else self.value.add_(part)
