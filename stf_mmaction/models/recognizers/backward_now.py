"""Several networks in one step, with the memory of one."""

from typing import Dict, Optional, Sequence, Tuple, Union

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ..ops.dispatch import autocast_dtype


class _KnownGradients(Function):
    """A scalar with gradients computed beforehand."""

    @staticmethod
    def forward(ctx, value, grads, *parameters):
        ctx.grads = grads
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return (None, None, *scaled(ctx.grads, grad))


def scaled(gradients: Sequence[Optional[Tensor]], factor: Union[Tensor, float]) -> Tuple:
    """Multiply gradients, some of which may be None, in one launch for hundreds of them."""
    products = iter(torch._foreach_mul([own for own in gradients if own is not None], factor))
    return tuple(None if own is None else next(products) for own in gradients)


class LossScale:
    """A dynamic loss scale for float16, like ``torch.amp.GradScaler`` but never waiting for a GPU.

    When gradients are computed early, the scale of the optimizer's own scaler is not known. This
    one adapts by itself; if it was too large, the gradients are infinite, and the optimizer's
    scaler skips the step.
    """

    def __init__(self) -> None:
        self._start = 2.0**16, 0
        self._state: Optional[Tuple[Tensor, Tensor]] = None

    def state(self) -> Optional[Tuple[float, int]]:
        """Return the scale and the steps since it last changed, or None if it was never used."""
        return self._state and (self._state[0].item(), self._state[1].item())

    def restore(self, scale: float, steps: int) -> None:
        """Continue from a result of :meth:`state`."""
        self._start, self._state = (float(scale), int(steps)), None

    def gradients(self, total: Tensor, parameters: Sequence[nn.Parameter]) -> Tuple:
        """Compute the gradients of a scaled loss and scale them back.

        Args:
            total (torch.Tensor): A scalar.
            parameters (Sequence[torch.nn.Parameter]): Differentiate with
                respect to these.

        Returns:
            tuple: One gradient or None per parameter.
        """
        if self._state is None:
            scale, steps = self._start
            self._state = (
                torch.full((), scale, device=total.device),
                torch.full((), steps, dtype=torch.int32, device=total.device),
            )
        scale, steps = self._state
        grads = torch.autograd.grad(total * scale, parameters, allow_unused=True)
        known = [own for own in grads if own is not None]
        overflow = torch.zeros((), device=total.device)
        torch._amp_foreach_non_finite_check_and_unscale_(known, overflow, scale.reciprocal())
        torch._amp_update_scale_(scale, steps, overflow, 2.0, 0.5, 2000)
        return grads


def backward_now(
    losses: Dict[str, Tensor], parameters: Sequence[nn.Parameter], scale: LossScale
) -> Dict[str, Tensor]:
    """Compute the gradients of losses immediately, and free the memory for them.

    The sum of the result, which ``parse_losses`` computes, has the same value and the
    same gradients; each loss alone has only its value.

    Args:
        losses (dict[str, torch.Tensor]): Losses of one network, scalars.
        parameters (Sequence[torch.nn.Parameter]): All parameters that they
            train.
        scale (LossScale): Used under float16 autocast.

    Returns:
        dict[str, torch.Tensor]: With the same keys.
    """
    grads = compute_gradients(losses, parameters, scale)
    return attach_gradients(losses, grads, parameters)


def compute_gradients(
    losses: Dict[str, Tensor],
    parameters: Sequence[nn.Parameter],
    scale: Optional[LossScale] = None,
) -> Tuple[Optional[Tensor], ...]:
    """Compute the gradients of the sum of losses, as a backward pass does.

    Args:
        losses (dict[str, torch.Tensor]): Losses of one network, scalars.
        parameters (Sequence[torch.nn.Parameter]): Differentiate with respect to these.
        scale (LossScale, optional): Used under float16 autocast. Defaults to None.

    Returns:
        tuple: One gradient or None per parameter.
    """
    total, _ = BaseModel.parse_losses(None, losses)
    half = scale is not None and autocast_dtype(total) == torch.float16
    with torch.autocast(total.device.type, enabled=False):  # as a backward pass runs
        if half:
            return scale.gradients(total, parameters)
        return torch.autograd.grad(total, parameters, allow_unused=True)


def attach_gradients(
    losses: Dict[str, Tensor],
    gradients: Sequence[Optional[Tensor]],
    parameters: Sequence[nn.Parameter],
) -> Dict[str, Tensor]:
    """Return losses whose sum has known gradients.

    Args:
        losses (dict[str, torch.Tensor]): Scalars; only their values are used.
        gradients (Sequence[torch.Tensor or None]): One per parameter.
        parameters (Sequence[torch.nn.Parameter]): They receive the gradients.

    Returns:
        dict[str, torch.Tensor]: With the same keys and values.
    """
    known = {key: value.detach() for key, value in losses.items()}
    key = next(key for key in known if 'loss' in key)
    known[key] = _KnownGradients.apply(known[key], gradients, *parameters)
    return known
