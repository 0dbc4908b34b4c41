"""ST-GCN, ST-GCN++, AAGCN and CTR-GCN with STF modules."""

from typing import Dict, Optional, Sequence

import mmaction.engine.model  # noqa: F401  (an initialiser of AAGCN)
from mmaction.models.backbones import AAGCN, STGCN
from mmaction.registry import MODELS
from torch import Tensor

from ..layers.graph import MMACTION_LAYOUT, layout_of, stock_graph_cfg
from .ctrgcn import CTRGCNBackbone
from .skeleton_backbone import check_input
from .stages import Stages, split_persons
from .stf_backbone import STFBackbone, check_stages
from .stf_units import STFUnit, add_stf_module


class STFStages(STFBackbone):
    """STF modules for a backbone that is a chain ``gcn`` of blocks.

    The backbone itself is unchanged: its checkpoints load under the same
    names, and give the same results until the STF modules are trained.

    Args:
        graph_cfg (dict): As for the backbone; ``layout`` may be any built-in one.
        stf_stages (Sequence[int], optional): Numbers of the STF modules that are
            on; there is one in the graph convolution of each block. ``()`` is the
            plain backbone. Defaults to None, all of them.
        kwargs: Other arguments of the backbone.

    Attributes:
        layout (Layout): The skeleton.
        num_person (int): M.
        out_channels (int): Channels of the features.

    Raises:
        ValueError: If ``stf_stages`` names modules that do not exist.
    """

    def __init__(
        self, graph_cfg: Dict, stf_stages: Optional[Sequence[int]] = None, **kwargs
    ) -> None:
        layout = layout_of(graph_cfg, MMACTION_LAYOUT)
        super().__init__(stock_graph_cfg(graph_cfg, layout), **kwargs)
        self.layout = layout
        self.num_person = kwargs.get('num_person', 2)
        self.out_channels = self.gcn[-1].gcn.bn.num_features
        stf_stages = check_stages(stf_stages, len(self.gcn))
        before = self.in_channels
        for stage, block in enumerate(self.gcn, 1):
            if stage in stf_stages:
                add_stf_module(block.gcn, before)
            before = block.gcn.bn.num_features

    def check_input(self, shape: Sequence[int]) -> None:
        """Raise a ValueError if data of a shape does not fit the network.

        Args:
            shape (Sequence[int]): (clips, M, T, V, C).
        """
        fixed = getattr(self, 'data_bn_type', 'MVC') == 'MVC'
        check_input(shape, self.num_person if fixed else None, self.layout, self.in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the features of the backbone, (N, M, T, V, C) -> (N, M, C', T', V)."""
        self.check_input(x.shape)
        return super().forward(x)

    def forward_stages(self, x: Tensor) -> Stages:
        """Compute the features of all blocks and the embeddings as well.

        Args:
            x (torch.Tensor): Skeletons, shape (N, M, T, V, C).
        """
        lead = x.shape[:2]
        features, embeddings = [], []

        def keep_features(_, __, output: Tensor) -> Tensor:
            view, output = split_persons(output, lead)
            features.append(view)
            return output

        def keep_embedding(_, __, output) -> None:
            embeddings.append(output[1].unflatten(0, lead))

        handles = [b.register_forward_hook(keep_features) for b in self.gcn]
        handles += [
            b.gcn.stf_graph.register_forward_hook(keep_embedding)
            for b in self.gcn
            if isinstance(b.gcn, STFUnit)
        ]
        try:
            self.forward(x)
        finally:
            for handle in handles:
                handle.remove()
        return Stages(tuple(features), tuple(embeddings))


@MODELS.register_module()
class STFSTGCN(STFStages, STGCN):
    """ST-GCN with STF modules; with its options, ST-GCN++."""


@MODELS.register_module()
class STFAAGCN(STFStages, AAGCN):
    """AAGCN with STF modules; with ``gcn_attention=False``, 2s-AGCN."""


@MODELS.register_module()
class STFCTRGCN(STFStages, CTRGCNBackbone):
    """CTR-GCN with STF modules."""
