"""CTR-GCN: graph convolution with a separate graph for each channel of each clip.

Paper: Chen et al., "Channel-wise Topology Refinement Graph Convolution for
Skeleton-Based Action Recognition", ICCV 2021,
https://arxiv.org/abs/2107.12213. This implementation follows the paper.
"""

from typing import Dict, Optional

import torch
from mmaction.models.utils import Graph, unit_tcn
from mmaction.registry import MODELS
from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn

from ..layers.graph import MMACTION_LAYOUT, layout_of, stock_graph_cfg
from .skeleton_backbone import SkeletonBackbone

# Width, in units of base_channels, and stride of the ten blocks.
BLOCKS = ((1, 1), (1, 1), (1, 1), (1, 1), (2, 2), (2, 1), (2, 1), (4, 2), (4, 1), (4, 1))
REDUCTION = 8  # of the channels that the topology is inferred from
DILATIONS = (1, 2)
TAPS = 5  # frames of a temporal convolution
KAIMING = [
    dict(type='Kaiming', layer=['Conv1d', 'Conv2d'], mode='fan_out'),
    dict(type='Constant', layer='BatchNorm2d', val=1),
]


def draw_apart(conv: nn.Module, parts: int) -> None:
    """Initialise layers that are computed as one, each with its own fan-out.

    Args:
        conv (nn.Module): A convolution whose outputs are those of the parts.
        parts (int): Number of parts.
    """
    for weight in conv.weight.detach().chunk(parts):
        nn.init.kaiming_normal_(weight, mode='fan_out', nonlinearity='relu')


class CTRGraphConv(BaseModule):
    """Three channel-wise topology refinement graph convolutions, summed.

    z_d = sum over k of R_kd W_kd x, with the refined topology of channel d R_k
    = A_k + alpha xi(tanh(psi(x_i) - phi(x_j))), x averaged over time in it;
    joint i receives from joint j. psi and phi have max(C // 8, 8) output
    channels; the official code has C // 8, but 8 for C = 3 and C = 9.

    Args:
        in_channels (int): C.
        out_channels (int): D.
        A (torch.Tensor): A[k, in, out], shape (K, V, V); learned.
    """

    def __init__(self, in_channels: int, out_channels: int, A: Tensor) -> None:
        super().__init__(init_cfg=KAIMING)
        scales = len(A)
        width = max(in_channels // REDUCTION, REDUCTION) * scales
        self.A = nn.Parameter(A.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.psi = nn.Conv1d(in_channels, width, 1)
        self.phi = nn.Conv1d(in_channels, width, 1)
        self.xi = nn.Conv2d(width, scales * out_channels, 1, groups=scales)
        self.conv = nn.Conv2d(in_channels, scales * out_channels, 1)
        self.bn = nn.BatchNorm2d(out_channels)
        self.down = nn.Identity()
        if in_channels != out_channels:
            self.down = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels)
            )
        self.relu = nn.ReLU()

    def init_weights(self) -> None:
        """Initialise so that only the residual path contributes."""
        super().init_weights()
        for conv in (self.psi, self.phi, self.xi, self.conv):
            draw_apart(conv, len(self.A))
        nn.init.constant_(self.bn.weight, 1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, V) -> (B, D, T, V)."""
        return self.convolve(x, self.A)

    def convolve(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Convolve with a given adjacency in place of A_k.

        Args:
            x (torch.Tensor): Shape (B, C, T, V).
            adjacency (torch.Tensor): A[k, in, out], (K, V, V), or one for
                each clip, (B, K, V, V).
        """
        scales = (adjacency.shape[-3], -1)
        mean = x.mean(2)
        distance = self.psi(mean).unsqueeze(2) - self.phi(mean).unsqueeze(3)
        refined = self.xi(distance.tanh()).unflatten(1, scales)
        refined = adjacency.unsqueeze(-3) + self.alpha * refined
        values = self.conv(x).unflatten(1, scales)
        y = torch.einsum('bkdtj,bkdji->bdti', values, refined)
        return self.relu(self.bn(y) + self.down(x))


class CTRTemporal(BaseModule):
    """Four branches over time: two dilated convolutions, a max pool, and a
    1x1 convolution.

    Args:
        channels (int): D, a multiple of 4.
        stride (int): Over frames.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(init_cfg=KAIMING)
        width = channels // 4
        # One product for the three branches that start with the same layer.
        self.reduce = nn.Sequential(
            nn.Conv2d(channels, 3 * width, 1), nn.BatchNorm2d(3 * width), nn.ReLU()
        )
        self.branches = ModuleList(
            unit_tcn(width, width, TAPS, stride, dilation) for dilation in DILATIONS
        )
        self.branches.append(
            nn.Sequential(nn.MaxPool2d((3, 1), (stride, 1), (1, 0)), nn.BatchNorm2d(width))
        )
        self.point = unit_tcn(channels, width, 1, stride)

    def init_weights(self) -> None:
        """Initialise each branch separately."""
        super().init_weights()
        draw_apart(self.reduce[0], len(self.branches))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, D, T, V) -> (B, D, ceil(T / stride), V)."""
        parts = self.reduce(x).chunk(3, 1)
        parts = [branch(part) for branch, part in zip(self.branches, parts)]
        return torch.cat([*parts, self.point(x)], 1)


class CTRGCNBlock(BaseModule):
    """CTR-GC, then the temporal branches, with a residual around both.

    Args:
        in_channels (int): C.
        out_channels (int): D.
        A (torch.Tensor): Shape (K, V, V).
        stride (int): Over frames.
        residual (bool): Whether there is one.
    """

    def __init__(
        self, in_channels: int, out_channels: int, A: Tensor, stride: int, residual: bool
    ) -> None:
        super().__init__()
        self.gcn = CTRGraphConv(in_channels, out_channels, A)
        self.tcn = CTRTemporal(out_channels, stride)
        self.residual = None
        if residual:
            self.residual = nn.Identity()
            if in_channels != out_channels or stride != 1:
                self.residual = unit_tcn(in_channels, out_channels, 1, stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, V) -> (B, D, ceil(T / stride), V)."""
        y = self.tcn(self.gcn(x))
        return self.relu(y if self.residual is None else y + self.residual(x))


@MODELS.register_module()
class CTRGCNBackbone(SkeletonBackbone):
    """CTR-GCN for any layout, channels, persons and length.

    Args:
        graph_cfg (dict): Arguments of MMAction2's ``Graph``, ``layout`` and ``mode``
            (``'spatial'`` in the paper); the layout may be any built-in one.
        in_channels (int): C of the input. Defaults to 3.
        base_channels (int): Channels of the first four blocks, a multiple of
            4; three blocks have 2 and three have 4 times as many.
            Defaults to 64.
        num_person (int): M. Defaults to 2.
        init_cfg (dict or list[dict], optional): As in MMEngine.

    Attributes:
        out_channels (int): Channels of the features.
        layout (Layout): The skeleton.

    Raises:
        ValueError: If a number is out of range, or ``base_channels`` is not a multiple of 4.
    """

    def __init__(
        self,
        graph_cfg: Dict,
        in_channels: int = 3,
        base_channels: int = 64,
        num_person: int = 2,
        init_cfg: Optional[Dict] = None,
    ) -> None:
        layout = layout_of(graph_cfg, MMACTION_LAYOUT)
        super().__init__(layout, in_channels, num_person, init_cfg)
        if base_channels < 4 or base_channels % 4:
            raise ValueError(
                f'base_channels={base_channels} cannot be divided among the four branches of a '
                'block of CTR-GCN: use a multiple of 4'
            )
        graph = Graph(**stock_graph_cfg(graph_cfg, layout))
        A = torch.tensor(graph.A, dtype=torch.get_default_dtype())
        self.gcn = ModuleList()
        width = in_channels
        for factor, stride in BLOCKS:
            before, width = width, base_channels * factor
            self.gcn.append(CTRGCNBlock(before, width, A, stride, residual=len(self.gcn) > 0))
        self.out_channels = width

    def forward(self, x: Tensor) -> Tensor:
        """Compute the features of the last block.

        Args:
            x (torch.Tensor): Skeletons, shape (N, M, T, V, C).

        Returns:
            torch.Tensor: Shape (N, M, 4 base_channels, ceil(T / 4), V).

        Raises:
            ValueError: If M, V or C is not what the network was built for.
        """
        clips, persons = x.shape[:2]
        x = self.normalize(x).permute(0, 2, 3, 1).contiguous()
        for block in self.gcn:
            x = block(x)
        # Not unflatten, to which the ONNX exporter gives a fixed length.
        return x.view(clips, persons, *x.shape[1:])
