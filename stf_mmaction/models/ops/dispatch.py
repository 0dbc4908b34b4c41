"""Choose the implementation of the operators for a tensor; only this module checks its device."""

from contextlib import contextmanager
from types import ModuleType
from typing import Iterator, Optional

import torch
from torch import Tensor

from . import batched, clipwise

# Clips of at most so many numbers fit the caches of a CPU many at a time, and the calls for each
# cost more than its products: docs/speed.md.
SMALL_CLIP = 2**14
KERNELS = dict(clipwise=clipwise, batched=batched)
_forced: Optional[ModuleType] = None


def kernels_for(x: Tensor) -> ModuleType:
    """Return the implementation for a tensor.

    Args:
        x (torch.Tensor): An input of the operator, of shape (B, ...).

    Returns:
        ModuleType: :mod:`.clipwise` for clips on a CPU that are not small, :mod:`.batched`
        otherwise, or the one that :func:`use_kernels` names. Both have the same functions.
    """
    if _forced is not None:
        return _forced
    on_cpu = x.device.type == 'cpu'
    return clipwise if on_cpu and x.shape[1:].numel() > SMALL_CLIP else batched


@contextmanager
def use_kernels(name: str) -> Iterator[None]:
    """Force an implementation within a context, for tests or counting.

    Args:
        name (str): ``'clipwise'`` or ``'batched'``.
    """
    global _forced
    before, _forced = _forced, KERNELS[name]
    try:
        yield
    finally:
        _forced = before


def needs_reference() -> bool:
    """Return whether something records operators (export, tracing, compilation).

    Custom autograd functions would be opaque to it, so the reference functions run instead.
    """
    return torch.jit.is_tracing() or torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()


def autocast_dtype(like: Tensor) -> Optional[torch.dtype]:
    """Return the dtype of autocast on the device of a tensor, or None if it is off."""
    device = like.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


def compute_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype of matrix products with x: that of autocast if it is on, else that of x."""
    dtype = autocast_dtype(x)
    return x.dtype if dtype is None else dtype
