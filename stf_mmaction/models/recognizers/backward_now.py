"""Several networks in one step, with the memory of one."""

from typing import Dict, Sequence, Tuple

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class _KnownGradients(Function):
    """A number whose gradients are known."""

    @staticmethod
    def forward(ctx, value, grads, *parameters):
        ctx.grads = grads
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return (None, None, *(None if own is None else own * grad for own in ctx.grads))


def can_backward_now(device: torch.device) -> bool:
    """Whether :func:`backward_now` gives what a later backward pass would.

    In float16 the gradients need the loss scale, which is not known yet.

    Args:
        device (torch.device): Of the network.
    """
    half = (
        torch.is_autocast_enabled(device.type)
        and torch.get_autocast_dtype(device.type) == torch.float16
    )
    return torch.is_grad_enabled() and not half


def backward_now(
    losses: Dict[str, Tensor], parameters: Sequence[nn.Parameter]
) -> Dict[str, Tensor]:
    """Take the gradients of losses at once, and free what they needed.

    The sum of the result, as ``parse_losses`` takes it, has the same value
    and the same gradients; the losses one by one have their values only.

    Args:
        losses (dict[str, torch.Tensor]): Of one network, scalars.
        parameters (Sequence[torch.nn.Parameter]): All that learn from them.

    Returns:
        dict[str, torch.Tensor]: With the same keys.
    """
    total, _ = BaseModel.parse_losses(None, losses)
    grads: Tuple = torch.autograd.grad(total, parameters, allow_unused=True)
    known = {key: value.detach() for key, value in losses.items()}
    key = next(key for key in known if 'loss' in key)
    known[key] = _KnownGradients.apply(known[key], grads, *parameters)
    return known
