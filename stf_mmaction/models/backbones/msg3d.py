"""MS-G3D with channels last.

Paper: Liu et al., "Disentangling and Unifying Graph Convolutions for
Skeleton-Based Action Recognition", CVPR 2020,
https://arxiv.org/abs/2003.14111. Original code:
https://github.com/kenziyuliu/MS-G3D (MIT). This is a new implementation.
"""

from contextlib import nullcontext
from typing import Callable, Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule, ModuleList
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from stf_mmaction.datasets.layouts import Layout
from stf_mmaction.focus import frozen_running_stats

from ..layers import G3D, MultiScaleGraphConv, TemporalUnit, layout_of
from .skeleton_backbone import SkeletonBackbone, check_positive
from .stages import Stages, split_persons

WINDOWS = (3, 5)  # frames of the two G3D branches


def check_graph_cfg(graph_cfg: Dict) -> None:
    """Raise a ValueError if a ``graph_cfg`` has settings that MS-G3D does not have.

    Args:
        graph_cfg (dict): ``dict(layout=..., mode='binary_adj')`` as in MMAction2.
    """
    mode = graph_cfg.get('mode', 'binary_adj')
    if mode != 'binary_adj':
        raise ValueError(
            f"graph_cfg mode {mode!r} is not supported by MS-G3D: leave "
            "it out, or use mode='binary_adj'"
        )
    unknown = sorted(set(graph_cfg) - {'layout', 'mode'})
    if unknown:
        raise ValueError(
            f"graph_cfg has unknown keys {unknown}: only 'layout' and 'mode' are supported"
        )


class MSG3DBlock(BaseModule):
    """MS-GCN and G3D pathways, summed, ReLU; then a temporal unit.

    Args:
        in_channels (int): C.
        out_channels (int): D.
        mid_channels (int): Channels of the MS-GCN.
        g3d_channels (int): Channels within the G3D windows.
        layout (Layout): The skeleton.
        num_gcn_scales (int): K of the MS-GCN.
        num_g3d_scales (int): K of the G3D.
        stride (int): Over frames.
        adjacency_norm (str): See :func:`adjacency_scales`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        mid_channels: int,
        g3d_channels: int,
        layout: Layout,
        num_gcn_scales: int,
        num_g3d_scales: int,
        stride: int,
        adjacency_norm: str,
    ) -> None:
        super().__init__()
        self.gcn = MultiScaleGraphConv(
            in_channels, mid_channels, layout, num_gcn_scales, adjacency_norm=adjacency_norm
        )
        self.tcn1 = TemporalUnit(mid_channels, out_channels, stride)
        self.tcn2 = TemporalUnit(out_channels, out_channels, activate=False)
        self.g3d = ModuleList(
            [
                G3D(
                    in_channels,
                    g3d_channels,
                    out_channels,
                    layout,
                    num_g3d_scales,
                    window,
                    stride,
                    adjacency_norm,
                )
                for window in WINDOWS
            ]
        )
        self.tcn = TemporalUnit(out_channels, out_channels)

    def spatial(self, x: Tensor, graph: Optional[Tensor] = None) -> Tensor:
        """Sum the two pathways, (B, T, V, C) -> (B, T', V, D).

        Args:
            x (torch.Tensor): Shape (B, T, V, C).
            graph (torch.Tensor, optional): G_k for the nearest scales of the
                MS-GCN, shape (B, 3, V, V). Defaults to None.
        """
        out = self.tcn2(self.tcn1(self.gcn(x, graph)))
        for g3d in self.g3d:
            out += g3d(x)
        return F.relu_(out)


@MODELS.register_module()
class MSG3DBackbone(SkeletonBackbone):
    """MS-G3D as published, for any layout, channels, persons and length.

    Args:
        graph_cfg (dict): ``dict(layout=...)``, a name or a layout dict.
        in_channels (int): C of the input. Defaults to 3.
        base_channels (int): Channels of the first block, a multiple of 6;
            the second has 2 and the third 4 times as many. Defaults to 96.
        num_gcn_scales (int): Scales of the MS-GCN. Defaults to 13.
        num_g3d_scales (int): Scales of the G3D. Defaults to 6.
        num_person (int): M. Defaults to 2.
        adjacency_norm (str): ``'symmetric'`` as published or ``'column'``
            as in MMAction2's MSG3D project. Defaults to ``'symmetric'``.
        with_cp (bool): Whether to keep only the outputs of the parts of each
            block and recompute the rest in the backward pass, which saves
            memory. Defaults to False.
        init_cfg (dict or list[dict], optional): As in MMEngine.

    Attributes:
        out_channels (int): Channels of the features.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self,
        graph_cfg: Dict,
        in_channels: int = 3,
        base_channels: int = 96,
        num_gcn_scales: int = 13,
        num_g3d_scales: int = 6,
        num_person: int = 2,
        adjacency_norm: str = 'symmetric',
        with_cp: bool = False,
        init_cfg: Optional[Dict] = None,
    ) -> None:
        check_graph_cfg(graph_cfg)
        super().__init__(layout_of(graph_cfg, 'nturgb+d'), in_channels, num_person, init_cfg)
        check_positive(num_gcn_scales=num_gcn_scales, num_g3d_scales=num_g3d_scales)
        if base_channels < 6 or base_channels % 6:
            raise ValueError(
                f'base_channels={base_channels} cannot be divided among the six branches of a '
                'temporal unit: use a multiple of 6'
            )
        self.adjacency_norm = adjacency_norm
        self.with_cp = with_cp
        widths = [base_channels * 2**b for b in range(3)]
        self.out_channels = widths[-1]
        blocks: List[MSG3DBlock] = []
        for b, width in enumerate(widths):
            before = widths[b - 1] if b else in_channels
            # The first block widens in the graph convolution, the others when they collapse the
            # window.
            inner = before if b else width
            blocks.append(
                MSG3DBlock(
                    before,
                    width,
                    inner,
                    inner,
                    self.layout,
                    num_gcn_scales,
                    num_g3d_scales,
                    2 if b else 1,
                    adjacency_norm,
                )
            )
        self.blocks = ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of the last block.

        Args:
            x (torch.Tensor): Skeletons, shape (N, M, T, V, C).

        Returns:
            torch.Tensor: Shape (N, M, 4 base_channels, ceil(T / 4), V).

        Raises:
            ValueError: If M, V or C is not what the network was built for.
        """
        features, _ = self._run(x, last_only=True)
        return features[-1]

    def forward_stages(self, x: Tensor) -> Stages:
        """Compute the features after all parts and the embeddings as well.

        Args:
            x (torch.Tensor): Skeletons, shape (N, M, T, V, C).
        """
        return Stages(*self._run(x, last_only=False))

    def _run(self, x: Tensor, last_only: bool) -> Tuple[Tuple[Tensor, ...], Tuple[Tensor, ...]]:
        clips, persons = x.shape[:2]
        x = self.normalize(x).permute(0, 3, 1, 2).contiguous()
        features, embeddings = [], []
        for index in range(len(self.blocks)):
            for part in (self._first_part, self._second_part):
                x, embedding = self._checkpointed(part, index, x)
                view, x = split_persons(x, (clips, persons), channels_last=True)
                if last_only:
                    features.clear()
                elif embedding is not None:
                    embeddings.append(embedding.unflatten(0, (clips, persons)))
                features.append(view)
        return tuple(features), tuple(embeddings)

    def _checkpointed(
        self, part: Callable, index: int, x: Tensor
    ) -> Tuple[Tensor, Optional[Tensor]]:
        if not (self.with_cp and torch.is_grad_enabled()):
            return part(index, x)
        block = self.blocks[index]
        return checkpoint(
            part,
            index,
            x,
            use_reentrant=False,  # the focus computes gradients in between
            preserve_rng_state=False,  # nothing in here is random
            # A step updates the running statistics only once.
            context_fn=lambda: (nullcontext(), frozen_running_stats(block)),
        )

    def _first_part(self, index: int, x: Tensor) -> Tuple[Tensor, Optional[Tensor]]:
        """Compute the pathways of a block and the embedding of its STF module."""
        return self.blocks[index].spatial(x), None

    def _second_part(self, index: int, x: Tensor) -> Tuple[Tensor, Optional[Tensor]]:
        """Compute the temporal unit and the embedding of its STF module."""
        return self.blocks[index].tcn(x), None
