"""Products shared by both orders of the batched graph convolution."""

from typing import Optional, Sequence, Tuple

from torch import Tensor

Gradients = Tuple[Optional[Tensor], Optional[Tensor], Optional[Tensor]]


class BatchProduct:
    """One order of transforming channels and aggregating joints.

    Args:
        weight (torch.Tensor): W_k, shape (K, D, C).
        adjacency (torch.Tensor): Shape (1 or B, V w, w V K).
        stride (int): Frames s between windows.
        window (int): Frames w of a window.
    """

    def __init__(self, weight: Tensor, adjacency: Tensor, stride: int, window: int) -> None:
        self.weight, self.adjacency = weight, adjacency
        self.stride, self.window = stride, window
        self.pad = (window - 1) // 2

    def forward(self, x: Tensor, out: Tensor) -> None:
        """Convolve a batch.

        Args:
            x (torch.Tensor): Shape (B, T, V, C).
            out (torch.Tensor): Z, to be filled, shape (B, T', V w, D).
        """
        raise NotImplementedError

    def backward(self, x: Tensor, grad: Tensor, needs: Sequence[bool]) -> Gradients:
        """Compute the gradients of x, the weight and the adjacency, where needed.

        Args:
            x (torch.Tensor): Shape (B, T, V, C).
            grad (torch.Tensor): Gradient of Z, contiguous, shape (B, T', V w, D).
            needs (Sequence[bool]): Which of the three are needed.

        Returns:
            tuple: The gradients that are needed, the last two in float32 at
            least.
        """
        raise NotImplementedError
