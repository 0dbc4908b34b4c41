"""Which persons are present, and how their focus is hidden from a network."""

from typing import Any, List

from torch import Tensor, nn

from .matrices import interpolation, on_device_of


def present_persons(inputs: Tensor) -> Tensor:
    """Return which persons are present: those whose input is not all zero.

    MMAction2's ``PreNormalize2D`` moves the zeros of an absent person to -1, so
    a person whose values are -1 or 0 throughout each channel is absent, too.

    Args:
        inputs (torch.Tensor): Skeletons, shape (N, M, T, V, C).

    Returns:
        torch.Tensor: Boolean, shape (N, M).

    Example:
        >>> x = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1, 1).expand(1, 2, 4, 3, 1)
        >>> present_persons(x)
        tensor([[ True, False]])
    """
    places = inputs.flatten(2, 3)
    first = places[:, :, :1]
    absent = (places == first) & ((first == 0) | (first == -1))
    return ~absent.flatten(2).all(2)


def resize_focus(focus: Tensor, frames: int) -> Tensor:
    """Interpolate linearly along time, for each joint and person separately.

    Args:
        focus (torch.Tensor): Shape (..., T', V).
        frames (int): T.

    Returns:
        torch.Tensor: Shape (..., T, V).

    Example:
        >>> resize_focus(torch.tensor([[0.0], [1.0]]), 4).flatten()
        tensor([0.0000, 0.2500, 0.7500, 1.0000])
    """
    if focus.shape[-2] == frames:
        return focus
    return on_device_of(focus, interpolation, focus.shape[-2], frames) @ focus


def mask_inputs(inputs: Tensor, focus: Tensor) -> Tensor:
    r"""Hide the focus from the input, in all channels equally, Eq. (3).

    .. math:: X - Q \odot X

    Args:
        inputs (torch.Tensor): X, shape (N, M, T, V, C).
        focus (torch.Tensor): Q of any length, shape (N, M, T', V).

    Returns:
        torch.Tensor: Shape (N, M, T, V, C).

    Example:
        >>> mask_inputs(torch.ones(1, 1, 1, 2, 1), torch.tensor([[[[1.0, 0.25]]]])).flatten()
        tensor([0.0000, 0.7500])
    """
    focus = resize_focus(focus, inputs.shape[2]).to(inputs.dtype)
    return inputs - focus.unsqueeze(-1) * inputs


class frozen_running_stats:
    """Normalise by batch statistics without updating the running statistics.

    This context manager is reentrant, as checkpointing requires.

    Args:
        module (nn.Module): Its batch norms are frozen within the context;
            those in evaluation mode are left as they are.

    Example:
        >>> norm = nn.BatchNorm1d(1)
        >>> with frozen_running_stats(norm):
        ...     _ = norm(torch.tensor([[1.0], [3.0]]))
        >>> norm.running_mean
        tensor([0.])
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __enter__(self) -> None:
        modules: List[Any] = list(self.module.modules())
        self.norms = [m for m in modules if getattr(m, 'track_running_stats', False)]
        for norm in self.norms:
            norm.track_running_stats = False

    def __exit__(self, *_: object) -> None:
        for norm in self.norms:
            norm.track_running_stats = True
