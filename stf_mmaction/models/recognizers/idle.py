"""Zero gradients for weights that a loss does not reach, since DDP waits for them."""

from typing import Sequence

from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class _WithIdle(Function):
    """Pass a value on, and zeros to idle weights: views of one tensor, in one launch."""

    @staticmethod
    def forward(ctx, value, *idle):
        ctx.shapes = [p.shape for p in idle]
        ctx.like = idle[0].detach()
        return value.view_as(value)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        sizes = [shape.numel() for shape in ctx.shapes]
        zeros = ctx.like.new_zeros(sum(sizes)).split(sizes)
        return (grad, *(own.view(shape) for own, shape in zip(zeros, ctx.shapes)))


def with_idle(loss: Tensor, idle: Sequence[nn.Parameter]) -> Tensor:
    """Return the loss, with a gradient of zero for idle weights.

    DDP waits for a gradient of every weight. ``STFPhaseHook`` prevents the optimizer from
    decaying these weights.

    Args:
        loss (torch.Tensor): A scalar.
        idle (Sequence[torch.nn.Parameter]): Weights of one dtype and device.

    Returns:
        torch.Tensor: The same value.
    """
    idle = [p for p in idle if p.requires_grad]
    return _WithIdle.apply(loss, *idle) if idle else loss
