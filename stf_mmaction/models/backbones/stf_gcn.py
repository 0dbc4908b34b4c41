"""STF-GCN: six STF modules in the three blocks of MS-G3D.

Paper: Ke, Peng, Lyu, "Towards To-a-T Spatio-Temporal Focus for
Skeleton-Based Action Recognition", AAAI 2022. No code was published.
"""

from typing import Dict, Optional, Sequence, Tuple

import torch
from mmaction.registry import MODELS
from torch import Tensor

from ..layers import BottleneckSTF, InferredGraph
from ..layers.stf_module import NUM_SCALES
from .checks import check_stages
from .msg3d import MSG3DBackbone


@MODELS.register_module()
class STFGCN(MSG3DBackbone):
    """MS-G3D with STF modules, equal to MS-G3D until they are trained.

    Module 2b - 1 adds G_k (Eq. 1) to the three nearest scales of the MS-GCN
    of block b; module 2b is a bottleneck added to the input of its temporal
    unit.

    Args:
        graph_cfg (dict): As in :class:`MSG3DBackbone`, like all others but
        stf_stages (Sequence[int], optional): Which of the six STF modules
            are on; ``()`` is plain MS-G3D. Defaults to None, all of them.

    Attributes:
        stf_enabled (bool): Set to False to compute (and train) the MS-G3D
            baseline inside; nothing else changes. Defaults to True.
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
        stf_stages: Optional[Sequence[int]] = None,
        init_cfg: Optional[Dict] = None,
    ) -> None:
        super().__init__(
            graph_cfg,
            in_channels,
            base_channels,
            num_gcn_scales,
            num_g3d_scales,
            num_person,
            adjacency_norm,
            with_cp,
            init_cfg,
        )
        check_stages(stf_stages, 6, 'modules')
        stf_stages = range(1, 7) if stf_stages is None else stf_stages
        if num_gcn_scales < NUM_SCALES and {1, 3, 5} & set(stf_stages):
            raise ValueError(
                f'num_gcn_scales={num_gcn_scales} is less than the '
                f'{NUM_SCALES} scales of an STF module: use at least that '
                'many, or leave 1, 3 and 5 out of stf_stages'
            )
        self.stf_enabled = True
        for index, block in enumerate(self.blocks):
            if 2 * index + 1 in stf_stages:
                channels = block.gcn.weight.shape[2]
                block.stf_graph = InferredGraph(channels, self.layout.num_node)
            if 2 * index + 2 in stf_stages:
                channels = block.tcn.norm.num_features
                block.stf_bottleneck = BottleneckSTF(channels, self.layout, self.adjacency_norm)

    @property
    def num_stf_modules(self) -> int:
        """int: How many STF modules there are."""
        return sum(
            hasattr(block, name)
            for block in self.blocks
            for name in ('stf_graph', 'stf_bottleneck')
        )

    def stf_parameters(self) -> Dict[str, torch.nn.Parameter]:
        """Return the parameters that plain MS-G3D does not have, by name."""
        return {name: parameter for name, parameter in self.named_parameters() if '.stf_' in name}

    def _first_part(self, index: int, x: Tensor) -> Tuple[Tensor, Optional[Tensor]]:
        block = self.blocks[index]
        if not self.stf_enabled or not hasattr(block, 'stf_graph'):
            return block.spatial(x), None
        graph, embedding = block.stf_graph(x)
        return block.spatial(x, graph), embedding

    def _second_part(self, index: int, x: Tensor) -> Tuple[Tensor, Optional[Tensor]]:
        block = self.blocks[index]
        if not self.stf_enabled or not hasattr(block, 'stf_bottleneck'):
            return block.tcn(x), None
        x, embedding = block.stf_bottleneck(x)
        return block.tcn(x), embedding
