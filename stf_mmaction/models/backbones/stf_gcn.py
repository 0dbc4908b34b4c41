"""STF-GCN: six STF modules in the three blocks of MS-G3D.

Paper: Ke, Peng, Lyu, "Towards To-a-T Spatio-Temporal Focus for
Skeleton-Based Action Recognition", AAAI 2022. No code was published.
"""

from typing import Dict, Optional, Sequence, Tuple

from mmaction.registry import MODELS
from torch import Tensor

from ..layers import BottleneckSTF, InferredGraph
from ..layers.stf_module import NUM_SCALES
from .msg3d import MSG3DBackbone
from .stf_backbone import STFBackbone, check_stages


@MODELS.register_module()
class STFGCN(STFBackbone, MSG3DBackbone):
    """MS-G3D with STF modules, equal to MS-G3D until they are trained.

    Module 2b - 1 adds G_k (Eq. 1) to the three nearest scales of the MS-GCN
    of block b; module 2b is a bottleneck added to the input of its temporal
    unit.

    Args:
        graph_cfg (dict): As in :class:`MSG3DBackbone`, like all other
            arguments but ``stf_stages``.
        stf_stages (Sequence[int], optional): Which of the six STF modules
            are on; ``()`` is plain MS-G3D. Defaults to None, all of them.
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
        stf_stages = check_stages(stf_stages, 2 * len(self.blocks))
        if num_gcn_scales < NUM_SCALES and {1, 3, 5} & set(stf_stages):
            raise ValueError(
                f'num_gcn_scales={num_gcn_scales} is less than the '
                f'{NUM_SCALES} scales of an STF module: use at least that '
                'many, or leave 1, 3 and 5 out of stf_stages'
            )
        for index, block in enumerate(self.blocks):
            if 2 * index + 1 in stf_stages:
                channels = block.gcn.weight.shape[2]
                block.stf_graph = InferredGraph(channels, self.layout.num_node)
            if 2 * index + 2 in stf_stages:
                channels = block.tcn.norm.num_features
                block.stf_bottleneck = BottleneckSTF(channels, self.layout, self.adjacency_norm)

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
