"""MS-GCN and G3D, the two spatial operators of MS-G3D.

Paper: Liu et al., CVPR 2020, https://arxiv.org/abs/2003.14111, Eq. (3), (7).
Original code: https://github.com/kenziyuliu/MS-G3D (MIT). This is a new
implementation with the same functions and parameters, in which the steps are
reordered.
"""

from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from stf_mmaction.datasets.layouts import Layout

from ..ops import graph_conv, window_conv, window_conv_folded
from .graph import adjacency_scales
from .norm import (
    channels_last_norm,
    factor_and_shift,
    fold,
    is_plain,
    linear_norm,
    update_running,
    uses_running_stats,
)


class MultiScaleGraphConv(BaseModule):
    """Sum over scales of W_k X (A_k + mask_k), then batch norm and ReLU.

    Args:
        in_channels (int): C.
        out_channels (int): D.
        layout (Layout): The skeleton.
        num_scales (int): K.
        window (int): Frames w of a spatio-temporal window; MS-GCN has 1.
        stride (int): Frames between windows. Defaults to 1.
        adjacency_norm (str): See :func:`adjacency_scales`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layout: Layout,
        num_scales: int,
        window: int = 1,
        stride: int = 1,
        adjacency_norm: str = 'symmetric',
    ) -> None:
        super().__init__()
        if window % 2 == 0:
            raise ValueError(f'a window of {window} frames has no middle frame: use an odd number')
        self.window = window
        self.stride = stride
        self.num_node = layout.num_node
        fixed = adjacency_scales(layout, num_scales, window, adjacency_norm)
        self.register_buffer('adjacency', fixed, persistent=False)
        self.mask = nn.Parameter(torch.empty_like(fixed))
        self.weight = nn.Parameter(torch.empty(num_scales, out_channels, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.norm = nn.BatchNorm2d(out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as the original does: a mask near zero, PyTorch's default for W_k."""
        nn.init.uniform_(self.mask, -1e-6, 1e-6)
        fan_in = self.weight.shape[0] * self.weight.shape[2]
        nn.init.uniform_(self.weight, -(fan_in**-0.5), fan_in**-0.5)
        nn.init.uniform_(self.bias, -(fan_in**-0.5), fan_in**-0.5)

    def forward(self, x: Tensor, graph: Optional[Tensor] = None) -> Tensor:
        """Convolve over joints, scales and the frames of a window.

        Args:
            x (torch.Tensor): Shape (B, T, V, C).
            graph (torch.Tensor, optional): G_k of Eq. (1), added to the
                nearest scales, shape (B, K' <= K, V, V). Defaults to None.

        Returns:
            torch.Tensor: Shape (B, T', V, w D), T' = ceil(T / stride).
        """
        args = (self.matrix(graph), self.stride, self.window)
        if uses_running_stats(self.norm):
            weight, bias = self.folded()
            out = F.relu_(graph_conv(x, weight, *args).add_(bias))
        else:
            out = graph_conv(x, self.weight, *args)
            out = channels_last_norm(self.norm, out.add_(self.bias), relu=True)
        return out.reshape(*out.shape[:2], self.num_node, -1)

    def folded(self) -> Tuple[Tensor, Tensor]:
        """Return the weight (K, D, C) and bias (D,) with the norm folded in, in evaluation mode."""
        factor, shift = factor_and_shift(self.norm)
        return self.weight * factor[:, None], self.bias * factor + shift

    def matrix(self, graph: Optional[Tensor] = None) -> Tensor:
        """Return A + mask + G, rows (u, i) and columns (j, v, k): (1 or B, V w, w V K).

        Args:
            graph (torch.Tensor, optional): G of the nearest scales, shape (B, 3, V, V).
        """
        matrix = (self.adjacency + self.mask).unsqueeze(0)
        scales, nodes = self.mask.shape[0], self.num_node
        if graph is not None:
            clips, near = graph.shape[:2]  # len() would fix the batch of an exported network
            matrix = torch.cat(
                [matrix[:, :near] + graph, matrix[:, near:].expand(clips, -1, -1, -1)], 1
            )
        matrix = matrix.view(-1, scales, self.window, nodes, self.window, nodes)
        matrix = matrix.permute(0, 3, 2, 4, 5, 1)
        return matrix.reshape(-1, nodes * self.window, self.window * nodes * scales)


class G3D(BaseModule):
    """One window size of the G3D pathway: convolve, then collapse the window.

    Args:
        in_channels (int): C.
        mid_channels (int): Channels of the graph convolution.
        out_channels (int): D.
        layout (Layout): The skeleton.
        num_scales (int): K.
        window (int): Frames w, odd.
        stride (int): Frames between windows.
        adjacency_norm (str): See :func:`adjacency_scales`.
    """

    def __init__(
        self,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        layout: Layout,
        num_scales: int,
        window: int,
        stride: int,
        adjacency_norm: str = 'symmetric',
    ) -> None:
        super().__init__()
        self.conv = MultiScaleGraphConv(
            in_channels, mid_channels, layout, num_scales, window, stride, adjacency_norm
        )
        self.collapse = nn.Linear(window * mid_channels, out_channels)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, V, C) -> (B, T', V, D)."""
        if uses_running_stats(self.conv.norm):
            return self._evaluate(x)
        if not is_plain(self.conv.norm):
            return linear_norm(self.collapse.weight, self.collapse.bias, self.norm, self.conv(x))
        conv, norm = self.conv, self.conv.norm
        out, mean, variance = window_conv(
            x,
            conv.weight,
            conv.matrix(),
            conv.bias,
            norm.weight,
            norm.bias,
            self.collapse.weight,
            self.collapse.bias,
            conv.stride,
            conv.window,
            norm.eps,
        )
        if norm.track_running_stats:
            rows = out[..., 0].numel() * conv.window
            update_running(norm, mean, variance, rows)
        return channels_last_norm(self.norm, out)

    def _evaluate(self, x: Tensor) -> Tensor:
        """Compute :meth:`forward` with the norms folded into weights and biases."""
        conv = self.conv
        weight, bias = self.collapse.weight, self.collapse.bias
        if uses_running_stats(self.norm):
            weight, bias = fold(weight, bias, self.norm)
        conv_weight, conv_bias = conv.folded()
        out = window_conv_folded(
            x, conv_weight, conv.matrix(), conv_bias, weight, bias, conv.stride, conv.window
        )
        return out if uses_running_stats(self.norm) else channels_last_norm(self.norm, out)
