"""Multi-scale adjacency matrices of a skeleton, from its layout.

Paper: Liu et al., "Disentangling and Unifying Graph Convolutions for
Skeleton-Based Action Recognition", CVPR 2020, Eq. (4) and (6).
"""

from typing import Dict

import numpy as np
import torch

from stf_mmaction.datasets.layouts import Layout, get_layout

NORMS = ('symmetric', 'column')


def layout_of(graph_cfg: Dict) -> Layout:
    """Return the layout that a ``graph_cfg`` names.

    Args:
        graph_cfg (dict): ``dict(layout=..., mode='binary_adj')`` as in
            MMAction2. ``layout`` is a name or a dict.

    Raises:
        ValueError: If a key or the mode is not known.
    """
    cfg = dict(graph_cfg)
    mode = cfg.pop('mode', 'binary_adj')
    layout = get_layout(cfg.pop('layout', 'nturgb+d'))
    if mode != 'binary_adj':
        raise ValueError(
            f"graph_cfg mode {mode!r} is not what MS-G3D is built on: leave "
            "it out or write mode='binary_adj'"
        )
    if cfg:
        raise ValueError(
            f'graph_cfg has unknown keys {sorted(cfg)}: it takes \'layout\' and \'mode\''
        )
    return layout


def _published_root(degree: np.ndarray) -> np.ndarray:
    """Compute degree^-1/2 bit-identical to the published networks.

    They take it in single precision, where the roots of 6 and 7 came out one
    unit beside the nearest number. That is 1e-7 in the logits.
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
