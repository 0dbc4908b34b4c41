"""The features after each stage of a backbone, for gradients with respect to them."""

from typing import NamedTuple, Sequence, Tuple

from torch import Tensor


class Stages(NamedTuple):
    """The result of a backbone's ``forward_stages``.

    Attributes:
        features (tuple[torch.Tensor]): After each stage, shape (N, M, C, T', V). Each is an
            ancestor of the next, so that gradients can be taken with respect to it. A stage is a
            block, or in MS-G3D one of the two parts of a block.
        embeddings (tuple[torch.Tensor]): beta(X^l) of each STF module that is on, shape
            (N, M, T', V), in (0, 1).
    """

    features: Tuple[Tensor, ...]
    embeddings: Tuple[Tensor, ...]


def split_persons(
    x: Tensor, lead: Sequence[int], channels_last: bool = False
) -> Tuple[Tensor, Tensor]:
    """Split clips and persons in a view from which the loss is computed.

    Autograd computes gradients only with respect to tensors from which the loss was computed.
    So a network keeps the first result and continues with the second, which depends on the
    first.

    Args:
        x (torch.Tensor): Shape (N M, C, T, V), or (N M, T, V, C).
        lead (Sequence[int]): N and M.
        channels_last (bool): Whether x is (N M, T, V, C). Defaults to False.

    Returns:
        tuple[torch.Tensor]: The view, shape (N, M, C, T, V), and x computed from
        it.
    """
    # Not unflatten, to which the ONNX exporter gives a fixed length.
    view = x.view(*lead, *x.shape[1:])
    if not channels_last:
        return view, view.view_as(x)
    view = view.permute(0, 1, 4, 2, 3)
    return view, view.permute(0, 1, 3, 4, 2).view_as(x)
