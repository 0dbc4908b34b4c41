"""The four STF losses, Eq. (3) to (6), as functions of tensors.

Norms are Frobenius norms per clip, averaged over the batch. Nothing here needs
MMAction2 or MMEngine.
"""

from typing import Sequence

import torch
from torch import Tensor

from ..focus import resize_focus


def clip_norms(maps: Tensor) -> Tensor:
    r"""Return the Frobenius norm of each clip; its gradient at zero is zero.

    .. math:: \lVert Q \rVert = \sqrt{\sum_{m, t, v} Q_{m t v}^2}

    Args:
        maps (torch.Tensor): Shape (N, M, T', V).

    Returns:
        torch.Tensor: Shape (N,).

    Example:
        >>> clip_norms(torch.full((1, 1, 3, 3), 2.0))
        tensor([6.])
    """
    return torch.linalg.vector_norm(maps.flatten(1), dim=1)


def exploration_loss(masked_logits: Tensor, classes: Tensor) -> Tensor:
    r"""Return the confidence that remains when the focus is hidden, Eq. (3).

    .. math:: L_e = p_y(X - Q \odot X)

    Args:
        masked_logits (torch.Tensor): Scores of the masked input, shape (N, K).
        classes (torch.Tensor): y, predicted from the whole input, shape (N,).

    Returns:
        torch.Tensor: Mean over the batch, a scalar in [0, 1].

    Example:
        >>> exploration_loss(torch.zeros(1, 4), torch.tensor([2]))
        tensor(0.2500)
    """
    return masked_logits.softmax(1).gather(1, classes[:, None]).mean()


def divergence_loss(first: Tensor, second: Tensor) -> Tensor:
    r"""Return minus the distance between the focus of the top two classes, Eq. (4).

    .. math:: L_d = -\lVert Q^{y_1} - Q^{y_2} \rVert

    Args:
        first (torch.Tensor): Q of the most probable class, shape (N, M, T', V).
        second (torch.Tensor): Q of the second class, shape (N, M, T', V).

    Returns:
        torch.Tensor: Mean over the batch, a scalar of at most 0.

    Example:
        >>> divergence_loss(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
        tensor(-2.)
    """
    return -clip_norms(first - second).mean()


def coherence_loss(lower: Tensor, last: Tensor) -> Tensor:
    r"""Return the distance between the focus of the last two modules, Eq. (5).

    .. math:: L_c = \lVert Q_5 - Q_6 \rVert

    Args:
        lower (torch.Tensor): Q of the module before the last, resized if its
            length differs, shape (N, M, T'', V).
        last (torch.Tensor): Q of the last module, shape (N, M, T', V).

    Returns:
        torch.Tensor: Mean over the batch, a scalar of at least 0.

    Example:
        >>> coherence_loss(torch.ones(1, 1, 8, 4), torch.zeros(1, 1, 4, 4))
        tensor(4.)
    """
    return clip_norms(resize_focus(lower, last.shape[2]) - last).mean()


def adjacency_loss(focus: Tensor, embeddings: Sequence[Tensor], present: Tensor) -> Tensor:
    r"""Return the distance between the focus and the embeddings of the STF modules.

    .. math:: L_G = \frac{1}{L} \sum_l \lVert Q - \beta(X^l) \rVert

    Args:
        focus (torch.Tensor): Q of the last module, zero for absent persons,
            shape (N, M, T', V). A constant target: it is not differentiated.
        embeddings (Sequence[torch.Tensor]): beta(X^l) of each STF module,
            shape (N, M, T_l, V).
        present (torch.Tensor): Persons that take part, boolean, (N, M).

    Returns:
        torch.Tensor: Mean over modules and the batch, a scalar of at least 0.

    Example:
        >>> beta = torch.full((1, 1, 4, 4), 0.5)
        >>> adjacency_loss(torch.ones(1, 1, 4, 4), [beta], torch.tensor([[True]]))
        tensor(2.)
    """
    target = focus.detach()
    mask = present[:, :, None, None]
    norms = [
        clip_norms(resize_focus(target, embedding.shape[2]) - embedding.to(target.dtype) * mask)
        for embedding in embeddings
    ]
    return torch.stack(norms).mean()
