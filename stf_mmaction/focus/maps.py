"""Where a skeleton classifier looks: the gradient focus, Eq. (2).

Q = minmax(ReLU(sum_c a_c X_c)), a_c = mean over (M, T', V) of d p_y / d X_c.

Paper: Ke, Peng, Lyu, "Towards To-a-T Spatio-Temporal Focus for
Skeleton-Based Action Recognition", AAAI 2022. Nothing here is detached:
gradients of a loss on Q reach the weights through a_c as well as through X.
"""

import math
from typing import Optional

import torch
from torch import Tensor


def mean_of_places(features: Tensor) -> Tensor:
    r"""Average over persons, frames and joints, at least in float32.

    .. math:: \bar X_c = \frac{1}{M T' V} \sum_{m, t, v} X_{m c t v}

    The gradient is an expanded view. The gradient of ``mean`` would be a tensor
    with channels first, which slows down all layers before it.

    Args:
        features (torch.Tensor): Shape (N, M, C, T', V).

    Returns:
        torch.Tensor: Shape (N, C).

    Example:
        >>> mean_of_places(torch.arange(4.0).view(1, 1, 2, 1, 2))
        tensor([[0.5000, 2.5000]])
    """
    dtype = torch.promote_types(features.dtype, torch.float32)
    places = features[0, :, 0].numel()
    return features.sum((1, 3, 4), dtype=dtype) / places


def _others(logits: Tensor, classes: Tensor) -> Tensor:
    """Return the logits with the class itself at -inf, shape (N, S, K)."""
    own = torch.nn.functional.one_hot(classes, logits.shape[1]).bool()
    return logits.unsqueeze(1).masked_fill(own, float('-inf'))


def gradient_weights(scores: Tensor, features: Tensor, second_order: bool = True) -> Tensor:
    r"""Compute a_c of Eq. (2) by autograd, for any layers above the features.

    .. math:: a_c = \frac{1}{M T' V} \sum_{m, t, v} \partial p_y / \partial X_{m c t v}

    If the network ends with average pooling and a linear layer, the functions below
    compute the same focus at a lower cost.

    Args:
        scores (torch.Tensor): p_y of the classes, shape (N, S).
        features (torch.Tensor): X, from which the scores were computed, (N, M,
            C, T', V).
        second_order (bool): Whether a_c itself can be differentiated.
            Defaults to True.

    Returns:
        torch.Tensor: Shape (N, S, C).

    Example:
        >>> x = torch.ones(1, 1, 2, 1, 1, requires_grad=True)
        >>> score = 3 * x[:, :, 0].sum() + 5 * x[:, :, 1].sum()
        >>> gradient_weights(score.view(1, 1), x, second_order=False)
        tensor([[[3., 5.]]])
    """
    grads = [
        torch.autograd.grad(score.sum(), features, retain_graph=True, create_graph=second_order)[0]
        for score in scores.unbind(1)
    ]
    return torch.stack([mean_of_places(grad) for grad in grads], 1)


def last_weights(logits: Tensor, weight: Tensor, classes: Tensor) -> Tensor:
    r"""Compute a_c of the features that average pooling and a linear layer read.

    .. math:: a \propto W_y - \sum_{j \ne y} \frac{p_j}{1 - p_y} W_j

    This is a = p_y (W_y - sum_j p_j W_j) / (M T' V) up to a positive factor,
    which cancels in min-max. It neither underflows nor subtracts nearly equal
    numbers when the network is certain.

    Args:
        logits (torch.Tensor): Shape (N, K), K >= 2.
        weight (torch.Tensor): W of the linear layer, shape (K, C).
        classes (torch.Tensor): y, class indices, shape (N, S).

    Returns:
        torch.Tensor: a up to a positive factor per clip, shape (N, S, C).

    Example:
        >>> last_weights(torch.zeros(1, 2), torch.eye(2), torch.tensor([[1]]))
        tensor([[[-1.,  1.]]])
    """
    return weight[classes] - _others(logits, classes).softmax(-1) @ weight


def last_gradient(logits: Tensor, weight: Tensor, classes: Tensor) -> Tensor:
    r"""Compute M T' V times d p_y / d X of the same features, with its factor.

    .. math:: M T' V \, \partial p_y / \partial X_c = p_y (W_{y c} - \sum_j p_j W_{j c})

    If the network is so certain of all clips that every p_y (1 - p_y) is below the
    rounding error of 1, all of them are multiplied by one factor, since the gradient of
    an earlier module would underflow. Min-max cancels the factor.

    Args:
        logits, weight, classes: As in :func:`last_weights`.

    Returns:
        torch.Tensor: Shape (N, S, C), the same at every place of a clip.

    Example:
        >>> last_gradient(torch.zeros(1, 2), torch.eye(2), torch.tensor([[1]]))
        tensor([[[-0.2500,  0.2500]]])
    """
    total = logits.logsumexp(1, keepdim=True)
    log_own = logits.gather(1, classes) - total
    log_other = _others(logits, classes).logsumexp(-1) - total
    log_factor = log_own + log_other  # of p_y (1 - p_y)
    lowest = math.log(torch.finfo(logits.dtype).eps)
    raised = (lowest - log_factor.detach().amax()).clamp(min=0)
    factor = (log_factor + raised).exp()
    return factor.unsqueeze(-1) * last_weights(logits, weight, classes)


def lower_weights(
    lower: Tensor, last: Tensor, gradient: Tensor, second_order: bool = True
) -> Tensor:
    """Compute a_c of an earlier module by one vector-Jacobian product.

    The factor of each clip is kept, since batch norm couples the clips.

    Args:
        lower (torch.Tensor): X of the module, from which ``last`` was
            computed, shape (N, M, C', T', V).
        last (torch.Tensor): What the classifier reads, (N, M, C, T, V).
        gradient (torch.Tensor): Gradient of the sum of p_y over the batch with
            respect to ``last``, up to a factor, shape (N, C).
        second_order (bool): Whether a_c itself can be differentiated.
            Defaults to True.

    Returns:
        torch.Tensor: Shape (N, 1, C').

    Raises:
        ValueError: If ``last`` was not computed from ``lower``.

    Example:
        >>> lower = torch.ones(1, 1, 2, 1, 1, requires_grad=True)
        >>> lower_weights(lower, 3 * lower, torch.tensor([[1.0, 2.0]]), second_order=False)
        tensor([[[3., 6.]]])
    """
    seed = gradient[:, None, :, None, None].expand_as(last).to(last.dtype)
    grad = None
    if lower.requires_grad:
        (grad,) = torch.autograd.grad(
            last, lower, seed, retain_graph=True, create_graph=second_order, allow_unused=True
        )
    if grad is None and _is_compiled(last):
        raise ValueError(
            'the focus of an earlier module is differentiated twice, which torch.compile does not '
            'support: do not compile a network with loss_coherence, or leave that loss out'
        )
    if grad is None:
        raise ValueError(
            'a module in focus_layers does not lie between the weights of the backbone and the '
            'input of the head: name another one'
        )
    return mean_of_places(grad).unsqueeze(1)


def _is_compiled(features: Tensor) -> bool:
    """Return whether a graph of ``torch.compile`` gave the features, up to a few views."""
    node = features.grad_fn
    for _ in range(8):
        if node is None or 'CompiledFunction' in node.name():
            return node is not None
        node = node.next_functions[0][0] if node.next_functions else None
    return False


def min_max(raw: Tensor, present: Optional[Tensor] = None) -> Tensor:
    r"""Scale each map to [0, 1], over the persons present.

    .. math:: Q = (R - \min R) / \max(\max R - \min R, \epsilon)

    Args:
        raw (torch.Tensor): R, shape (N, S, M, T', V).
        present (torch.Tensor, optional): Persons that take part, boolean,
            shape (N, M). Defaults to None, all.

    Returns:
        torch.Tensor: In [0, 1], zero for absent persons and for a constant
        map, which passes no gradient. A map with a range below the root of the
        smallest number of its type (about 1e-19 in float32) passes none
        either: its gradient would overflow in the layers below.

    Example:
        >>> min_max(torch.tensor([2.0, 3.0, 6.0]).view(1, 1, 1, 1, 3)).flatten()
        tensor([0.0000, 0.2500, 1.0000])
    """
    if present is None:
        present = raw.new_ones(raw.shape[0], raw.shape[2], dtype=torch.bool)
    mask = present[:, None, :, None, None]
    low = raw.masked_fill(~mask, float('inf')).amin((2, 3, 4), True)
    high = raw.masked_fill(~mask, float('-inf')).amax((2, 3, 4), True)
    span = high - low  # -inf where nobody is present
    tiny = torch.finfo(raw.dtype).tiny
    flat = span <= tiny
    scaled = (raw - low.masked_fill(flat, 0)) / span.masked_fill(flat, 1)
    scaled = scaled.masked_fill(flat | ~mask, 0)
    return torch.where(span <= tiny**0.5, scaled.detach(), scaled)


def focus_map(features: Tensor, weights: Tensor, present: Optional[Tensor] = None) -> Tensor:
    r"""Compute the focus Q of Eq. (2) from X and a.

    .. math:: Q = \mathrm{minmax}(\mathrm{ReLU}(\sum_c a_c X_c))

    Args:
        features (torch.Tensor): X, shape (N, M, C, T', V).
        weights (torch.Tensor): a for S classes, shape (N, S, C).
        present (torch.Tensor, optional): As in :func:`min_max`.

    Returns:
        torch.Tensor: Q in [0, 1], shape (N, S, M, T', V), at least float32.

    Example:
        >>> x = torch.tensor([[1.0, 2.0], [1.0, 0.0]]).view(1, 1, 2, 2, 1)
        >>> focus_map(x, torch.tensor([[[1.0, -1.0]]])).flatten()
        tensor([0., 1.])
    """
    persons, _, frames, joints = features.shape[1:]
    flat = features.permute(0, 1, 3, 4, 2).flatten(1, 3)
    flat = flat.to(weights.dtype)
    raw = (flat @ weights.transpose(1, 2)).transpose(1, 2).relu()
    raw = raw.unflatten(2, (persons, frames, joints))
    return min_max(raw, present)
