"""The STF module (Eq. 1) inside graph convolutions of other networks.

Paper: Ke, Peng, Lyu, "Towards To-a-T Spatio-Temporal Focus for
Skeleton-Based Action Recognition", AAAI 2022. No code was published.
"""

from typing import Dict, Type

import torch
import torch.nn.functional as F
from mmaction.models.utils import unit_aagcn, unit_gcn
from torch import Tensor, nn

from ..layers import InferredGraph
from ..layers.stf_module import NUM_SCALES
from .ctrgcn import CTRGraphConv


class STFUnit:
    """A graph convolution that uses A_k + G_k where its parent uses A_k.

    :func:`add_stf_module` turns an existing unit into one, so that all its
    parameters keep their names.

    Attributes:
        stf_graph (InferredGraph): alpha and beta of the module.
        stf_enabled (bool): Set to False to compute the parent's result.
    """

    def init_weights(self) -> None:
        """Initialise the parent, and then the STF module by its own rules."""
        super().init_weights()
        for layer in self.stf_graph.modules():
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
        nn.init.zeros_(self.stf_graph.alpha.edges.weight)
        nn.init.zeros_(self.stf_graph.alpha.edges.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, V) -> (B, D, T, V)."""
        if not self.stf_enabled:
            return super().forward(x)
        graph, _ = self.stf_graph(x.permute(0, 2, 3, 1))
        graph = graph.transpose(2, 3)  # MMAction2: (k, in, out)
        others = len(self.A) - NUM_SCALES  # beyond the nearest scales
        return self.infer(x, F.pad(graph, (0, 0, 0, 0, 0, others)))

    def infer(self, x: Tensor, graph: Tensor) -> Tensor:
        """Run the parent's forward with A_k + G_k.

        Args:
            x (torch.Tensor): Shape (B, C, T, V).
            graph (torch.Tensor): G[k, in, out], shape (B, K, V, V).
        """
        raise NotImplementedError


class STFUnitGCN(STFUnit, unit_gcn):
    """The graph convolution of ST-GCN and ST-GCN++ with an STF module."""

    def infer(self, x: Tensor, graph: Tensor) -> Tensor:
        """Map (B, C, T, V) -> (B, D, T, V) with A_k + G_k; G is (B, K, V, V)."""
        adjacency = self.A
        if self.adaptive == 'importance':
            adjacency = self.A * self.PA
        elif self.adaptive == 'offset':
            adjacency = self.A + self.PA
        adjacency = adjacency + graph
        if self.conv_pos == 'pre':
            y = self.conv(x).unflatten(1, (len(self.A), -1))
            y = torch.einsum('bkctv,bkvw->bctw', y, adjacency)
        else:
            y = torch.einsum('bctv,bkvw->bkctw', x, adjacency)
            y = self.conv(y.flatten(1, 2))
        y = self.bn(y)
        return self.act(y + self.down(x) if self.with_res else y)


class STFUnitAAGCN(STFUnit, unit_aagcn):
    """The graph convolution of AAGCN with an STF module; 2s-AGCN is AAGCN without attention."""

    def infer(self, x: Tensor, graph: Tensor) -> Tensor:
        """Map (B, C, T, V) -> (B, D, T, V) with A_k + G_k; G is (B, K, V, V)."""
        adjacency = self.A + graph
        if self.adaptive:
            adjacency = adjacency + self.alpha * self._similarity(x)
        parts = [
            conv(torch.einsum('bctv,bvw->bctw', x, own))
            for conv, own in zip(self.conv_d, adjacency.unbind(1))
        ]
        y = self.relu(self.bn(sum(parts)) + self.down(x))
        return self._attend(y) if self.attention else y

    def _similarity(self, x: Tensor) -> Tensor:
        """Compare joints by their embeddings over time: (B, C, T, V) -> (B, K, V, V)."""
        out = []
        for conv_a, conv_b in zip(self.conv_a, self.conv_b):
            a = conv_a(x).permute(0, 3, 1, 2).flatten(2)  # (B, V, C' T)
            b = conv_b(x).flatten(1, 2)  # (B, C' T, V)
            out.append((a @ b / a.shape[-1]).tanh())
        return torch.stack(out, 1)

    def _attend(self, y: Tensor) -> Tensor:
        """Apply attention over joints, then frames, then channels, each added to the identity."""
        y = y + y * self.conv_sa(y.mean(2)).sigmoid().unsqueeze(2)
        y = y + y * self.conv_ta(y.mean(3)).sigmoid().unsqueeze(3)
        channels = self.fc2c(self.fc1c(y.mean((2, 3))).relu()).sigmoid()
        return y + y * channels[:, :, None, None]


class STFCTRGraphConv(STFUnit, CTRGraphConv):
    """The graph convolution of CTR-GCN with an STF module."""

    def infer(self, x: Tensor, graph: Tensor) -> Tensor:
        """Map (B, C, T, V) -> (B, D, T, V) with A_k + G_k; G is (B, K, V, V)."""
        return CTRGraphConv.convolve(self, x, self.A + graph)


UNITS: Dict[Type[nn.Module], Type[STFUnit]] = {
    unit_gcn: STFUnitGCN,
    unit_aagcn: STFUnitAAGCN,
    CTRGraphConv: STFCTRGraphConv,
}


def add_stf_module(unit: nn.Module, in_channels: int) -> None:
    """Add an STF module to a graph convolution; it contributes nothing at first.

    This changes its class, as PyTorch's ``register_parametrization`` does.

    Args:
        unit (nn.Module): Of a class in :data:`UNITS`, or derived from one.
        in_channels (int): C.

    Raises:
        TypeError: If it is of another class.
        ValueError: If it has fewer scales than an STF module.
    """
    kind = type(unit)
    base = next((parent for parent in kind.__mro__ if parent in UNITS), None)
    if base is None:
        raise TypeError(
            f'{kind.__name__} is not a graph convolution that supports an STF module: derive it '
            f'from one of {[known.__name__ for known in UNITS]}, or add a class to UNITS whose '
            "'infer' computes it with a given adjacency"
        )
    if len(unit.A) < NUM_SCALES:
        raise ValueError(
            f'a graph convolution with {len(unit.A)} adjacency matrices has too few for the '
            f'{NUM_SCALES} of an STF module: use graph_cfg '
            "mode 'spatial' or 'stgcn_spatial'"
        )
    own = UNITS[base]
    # A derived class keeps its overrides.
    unit.__class__ = own if kind is base else type(f'STF{kind.__name__}', (own, kind), {})
    unit.stf_graph = InferredGraph(in_channels, unit.A.shape[-1])
    unit.stf_enabled = True
