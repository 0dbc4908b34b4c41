"""The STF module: an adjacency that the network infers from each clip.

Paper: Ke, Peng, Lyu, "Towards To-a-T Spatio-Temporal Focus for
Skeleton-Based Action Recognition", AAAI 2022, Eq. (1). No code was published.
"""

from typing import Tuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from stf_mmaction.datasets.layouts import Layout
from stf_mmaction.focus.matrices import bin_means, bin_means_of_operators, on_device_of

from ..ops import needs_reference
from .ms_gcn import MultiScaleGraphConv
from .norm import linear_norm

NUM_SCALES = 3  # K of Eq. (1)
TIME_BINS = 8  # alpha averages every clip to this length
ALPHA_CHANNELS = 16


class Beta(BaseModule):
    """Three convolutions from features to an embedding in (0, 1).

    Args:
        in_channels (int): C.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        width = max(in_channels // 8, 8)
        self.reduce = nn.Linear(in_channels, width)
        self.temporal = nn.Linear(3 * width, width)  # three frames
        self.score = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, V, C) -> embedding E, shape (B, T, V)."""
        x = F.relu(self.reduce(x))
        padded = F.pad(x, (0, 0, 0, 0, 1, 1))
        x = torch.cat([padded[:, :-2], x, padded[:, 2:]], -1)
        x = F.relu(self.temporal(x))
        # A product with a vector: its gradient has the strides of the weight, as DDP requires.
        return (x @ self.score.weight[0].to(x.dtype) + self.score.bias.to(x.dtype)).sigmoid()


class Alpha(BaseModule):
    """Two convolutions from an embedding to one matrix for each scale.

    Args:
        num_node (int): V.
    """

    def __init__(self, num_node: int) -> None:
        super().__init__()
        self.bins = nn.Linear(TIME_BINS, ALPHA_CHANNELS)
        self.edges = nn.Linear(ALPHA_CHANNELS, NUM_SCALES * num_node)
        # A new STF network equals its MS-G3D baseline.
        nn.init.zeros_(self.edges.weight)
        nn.init.zeros_(self.edges.bias)

    def forward(self, embedding: Tensor) -> Tensor:
        """Map E (B, T, V) -> G[k, out, in], shape (B, 3, V, V), for any T."""
        joints = embedding.shape[2]
        frames = embedding.shape[1]
        if needs_reference():  # an exported constant matrix would fix the length
            bins = bin_means_of_operators(embedding, frames, TIME_BINS)
        else:
            bins = on_device_of(embedding, bin_means, frames, TIME_BINS)
        x = embedding.transpose(1, 2) @ bins
        x = self.edges(F.relu(self.bins(x)))  # (B, V in, 3 V out)
        return x.view(-1, joints, NUM_SCALES, joints).permute(0, 2, 3, 1)


class InferredGraph(BaseModule):
    """G_k = alpha(beta(X)) of Eq. (1).

    Args:
        in_channels (int): C.
        num_node (int): V.
    """

    def __init__(self, in_channels: int, num_node: int) -> None:
        super().__init__()
        self.beta = Beta(in_channels)
        self.alpha = Alpha(num_node)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """Map (B, T, V, C) -> G (B, 3, V, V) and the embedding (B, T, V)."""
        embedding = self.beta(x)
        return self.alpha(embedding), embedding


class BottleneckSTF(BaseModule):
    """A separate STF module: C -> C / 4, Eq. (1) with K = 3, -> C.

    Its last layer starts at zero, so that it adds nothing to a baseline.

    Args:
        channels (int): C.
        layout (Layout): The skeleton.
        adjacency_norm (str): See :func:`adjacency_scales`.
    """

    def __init__(self, channels: int, layout: Layout, adjacency_norm: str) -> None:
        super().__init__()
        width = channels // 4
        self.reduce = nn.Linear(channels, width)
        self.norm = nn.BatchNorm2d(width)
        self.graph = InferredGraph(width, layout.num_node)
        self.conv = MultiScaleGraphConv(
            width, width, layout, NUM_SCALES, adjacency_norm=adjacency_norm
        )
        self.expand = nn.Linear(width, channels)
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """Map (B, T, V, C) -> the input plus the module's output, and the embedding (B, T, V)."""
        h = linear_norm(self.reduce.weight, self.reduce.bias, self.norm, x, relu=True)
        graph, embedding = self.graph(h)
        return x + self.expand(self.conv(h, graph)), embedding
