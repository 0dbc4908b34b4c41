"""The adjacency matrices that a network uses for one clip."""

from typing import Dict, List

import numpy as np
import torch
from torch import Tensor, nn

from stf_mmaction.datasets.frame_mapping import Source
from stf_mmaction.models.layers import BottleneckSTF, InferredGraph
from stf_mmaction.models.layers.stf_module import NUM_SCALES
from stf_mmaction.visualization.adjacency import ModuleAdjacency

from .comparisons import own_inputs
from .inference import prepare


@torch.no_grad()
def adjacency_of_clip(model: nn.Module, dataset, index: int) -> List[ModuleAdjacency]:
    """Compute A_k, the learned mask and G_k of Eq. (1) of every STF module.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``, whose first
            member is used.
        dataset (SkeletonDataset): The clips.
        index (int): Index of the clip; if it is sampled several times, the
            first sample is used.

    Raises:
        ValueError: If the backbone has no STF modules that are on.
    """
    inputs, source = prepare(model, dataset.pipeline, dataset.get_data_info(index))
    backbone = model.lead.backbone
    owners: Dict[nn.Module, nn.Module] = {}
    for module in backbone.modules():
        if isinstance(module, BottleneckSTF):
            owners[module.graph] = module.conv
        elif hasattr(module, 'stf_graph'):
            owners[module.stf_graph] = getattr(module, 'gcn', module)
    found: List[ModuleAdjacency] = []

    def keep(graph: InferredGraph, _, output) -> None:
        fixed, mask = _fixed_and_mask(owners[graph])
        name = f'module {len(found) + 1}'
        inferred = _of_persons(output[0].float().cpu().numpy(), source)
        found.append(ModuleAdjacency(name, fixed, mask, inferred))

    handles = [graph.register_forward_hook(keep) for graph in owners]
    try:
        backbone(own_inputs(model, inputs)[:1])
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise ValueError(
            f'{type(backbone).__name__} has no STF modules that infer an adjacency: use STFGCN, '
            'STFSTGCN, STFAAGCN or STFCTRGCN with stf_stages'
        )
    return found


def _of_persons(inferred: np.ndarray, source: Source) -> np.ndarray:
    """Return the matrices (M, ...) of a clip's persons from those (M', ...) of the inputs."""
    out = np.zeros((source.num_persons, *inferred.shape[1:]), inferred.dtype)
    for person in range(source.num_persons):
        frames = (source.persons == person).sum(1)
        if frames.any():
            out[person] = inferred[frames.argmax()]
    return out


def _fixed_and_mask(conv: nn.Module) -> List:
    """Return A_k and the learned mask, [k, out, in], as arrays."""
    if hasattr(conv, 'adjacency'):
        pair: List[Tensor] = [conv.adjacency, conv.mask]
    else:  # MMAction2's convolutions have (k, in, out)
        learned = getattr(conv, 'PA', torch.zeros_like(conv.A))
        pair = [conv.A.transpose(1, 2), learned.transpose(1, 2)]
    return [matrix[:NUM_SCALES].detach().float().cpu().numpy() for matrix in pair]
