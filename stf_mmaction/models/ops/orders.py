"""Choose the order of the two steps of a graph convolution with the fewest multiplications.

The steps are linear, so either may come first: transform channels by W_k, or aggregate over
joints and frames by A_k. Each implementation has a class of this name for each order.
"""

from torch import Tensor

TRANSFORM_FIRST = 'TransformFirst'  # any window and stride
AGGREGATE_FIRST = 'AggregateFirst'  # windows of one frame
FEW_CHANNELS = 'FewChannels'  # aggregate first on unfolded windows, for C much less than D


def cheapest_order(joints: int, weight: Tensor, stride: int, window: int) -> str:
    """Return the name of the cheapest order.

    Args:
        joints (int): V.
        weight (torch.Tensor): W_k, shape (K, D, C).
        stride (int): Frames between windows.
        window (int): Frames w of a window.
    """
    _, channels, in_channels = weight.shape
    rows = window * joints
    # Multiplications per window and scale.
    transform_first = (stride * joints * in_channels + rows**2) * channels
    aggregate_first = (rows * channels + rows**2) * in_channels
    if aggregate_first < transform_first:
        return FEW_CHANNELS
    # At equal cost, the backward pass recomputes the cheaper step.
    return AGGREGATE_FIRST if window == stride == 1 else TRANSFORM_FIRST


def by_scale(adjacency: Tensor, scales: int) -> Tensor:
    """Move the scale from columns to rows: rows r, columns (c, k) -> rows (r, k), columns c.

    Args:
        adjacency (torch.Tensor): Shape (1 or B, R, c K).
        scales (int): K.

    Returns:
        torch.Tensor: Shape (1 or B, R K, c).
    """
    rows, cols = adjacency.shape[1], adjacency.shape[2] // scales
    matrix = adjacency.view(-1, rows, cols, scales).transpose(2, 3)
    return matrix.reshape(-1, rows * scales, cols)


def from_scale(grad: Tensor, scales: int) -> Tensor:
    """Convert the gradient of :func:`by_scale`'s result back: (.., R K, c) -> (.., R, c K)."""
    return grad.unflatten(1, (-1, scales)).transpose(2, 3).flatten(2)
