"""Multi-scale adjacency matrices of a skeleton, from its layout.

Paper: Liu et al., "Disentangling and Unifying Graph Convolutions for
Skeleton-Based Action Recognition", CVPR 2020, Eq. (4) and (6).
"""

from typing import Dict

import numpy as np
import torch

from stf_mmaction.datasets.layouts import Layout, get_layout

NORMS = ('symmetric', 'column')
MMACTION_LAYOUT = 'coco'  # of MMAction2's Graph, by default


def layout_of(graph_cfg: Dict, default: str) -> Layout:
    """Return the layout of a ``graph_cfg``.

    Args:
        graph_cfg (dict): As for MMAction2's ``Graph``; ``layout`` is a name, a dict or a file.
        default (str): The layout if ``graph_cfg`` has none, as in the networks' own code:
            ``'nturgb+d'`` for MS-G3D and :data:`MMACTION_LAYOUT` for those on MMAction2's graph.
    """
    return get_layout(graph_cfg.get('layout', default))


def stock_graph_cfg(graph_cfg: Dict, layout: Layout) -> Dict:
    """Return a ``graph_cfg`` of any layout that MMAction2's ``Graph`` accepts.

    Args:
        graph_cfg (dict): With ``mode`` and other arguments.
        layout (Layout): Replaces ``graph_cfg['layout']``.
    """
    return dict(
        graph_cfg,
        layout=dict(num_node=layout.num_node, inward=list(layout.inward), center=layout.center),
    )


def _published_root(degree: np.ndarray) -> np.ndarray:
    """Compute degree^-1/2, bit-identical to the published networks.

    They compute it in single precision, where the roots of 6 and 7 are one
    unit off the nearest number. This changes logits by 1e-7.
    """
    root = (degree**-0.5).astype(np.float32)
    for value, towards in ((6, 0), (7, 1)):
        root[degree == value] = np.nextafter(root[degree == value], np.float32(towards))
    return root.astype(np.float64)


def adjacency_scales(
    layout: Layout, num_scales: int, window: int = 1, norm: str = 'symmetric'
) -> torch.Tensor:
    """Compute normalised k-hop adjacency matrices for k = 0 .. ``num_scales`` - 1.

    The matrix of scale k holds the joints that are exactly k hops away, and
    the joint itself. In a window of several frames every joint also reaches
    itself and its neighbours in all other frames in one hop.

    Args:
        layout (Layout): The skeleton.
        num_scales (int): K.
        window (int): Frames w of a spatio-temporal window. Defaults to 1.
        norm (str): ``'symmetric'``, D^-1/2 A D^-1/2 as published, or
            ``'column'``, as in MMAction2's MSG3D project.
            Defaults to ``'symmetric'``.

    Returns:
        torch.Tensor: A[k, out, in], shape (K, w V, w V), default dtype.
    """
    if norm not in NORMS:
        raise ValueError(f'adjacency_norm {norm!r} is unknown: use one of {NORMS}')
    num_node = layout.num_node
    one_hop = np.eye(num_node)
    for child, parent in layout.inward:
        one_hop[child, parent] = one_hop[parent, child] = 1
    one_hop = np.tile(one_hop, (window, window))
    identity = np.eye(window * num_node)
    within = identity  # joints at most k hops away
    scales = [identity]
    for _ in range(1, num_scales):
        wider = np.minimum(within @ (one_hop + identity), 1)
        scales.append(wider - within + identity)
        within = wider
    stack = np.stack(scales)
    degree = stack.sum(axis=1, keepdims=True)
    if norm == 'symmetric':
        root = _published_root(degree)
        stack = root.transpose(0, 2, 1) * stack * root
    else:
        # The project divides by column sums and contracts the first index.
        stack = (stack / degree).transpose(0, 2, 1)
    # Published networks hold the matrices in single precision, too.
    return torch.from_numpy(stack.astype(np.float32)).to(torch.get_default_dtype())
