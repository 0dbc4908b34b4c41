"""Skeletons of backbones that are not built-in: their layouts and checks of their inputs."""

import sys
from typing import Dict, Sequence

from mmaction.models.utils import Graph
from mmaction.registry import MODELS
from torch import nn

from stf_mmaction.datasets.layouts import get_layout

from ..backbones.skeleton_backbone import check_input
from ..layers.graph import stock_graph_cfg

UPSTREAM = ('openpose', 'nturgb+d', 'coco')  # of MMAction2's Graph
NEEDED = ('num_node', 'inward', 'center')


def translate_layout(backbone: Dict) -> Dict:
    """Return a backbone's config with a layout that MMAction2's ``Graph`` takes.

    Only for backbones that are built on it; built-in ones know all layouts,
    and others may have names of their own.

    Args:
        backbone (dict): Its ``graph_cfg.layout`` may be any built-in one.

    Raises:
        ValueError: If the layout is unknown or no skeleton.
    """
    graph_cfg = backbone.get('graph_cfg') or {}
    layout, kind = graph_cfg.get('layout'), backbone['type']
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    homes = [base.__module__ for base in getattr(kind, '__mro__', ())]
    if any(home.startswith('stf_mmaction.') for home in homes) or not any(
        getattr(sys.modules.get(home), 'Graph', None) is Graph for home in homes
    ):
        return backbone
    if isinstance(layout, dict):
        fits = all(key in layout for key in NEEDED)
    else:
        fits = layout is None or layout in UPSTREAM
    if fits:
        return backbone
    return dict(backbone, graph_cfg=stock_graph_cfg(graph_cfg, get_layout(layout)))


def check_stock_input(backbone: nn.Module, shape: Sequence[int]) -> None:
    """Raise if data of a shape do not fit, as far as the backbone tells.

    MMAction2's tell by their ``graph``, ``data_bn``, ``in_channels`` and
    ``num_person``. Where these do not go together they mean something else,
    and nothing is checked.

    Args:
        backbone (torch.nn.Module): One that does not check by itself.
        shape (Sequence[int]): (clips, M, T, V, C).

    Raises:
        ValueError: If they do not.
    """
    graph = getattr(backbone, 'graph', None)
    joints = getattr(graph, 'num_node', None)
    if joints is None:
        return
    width = getattr(getattr(backbone, 'data_bn', None), 'num_features', None)
    persons = getattr(backbone, 'num_person', None)
    channels = getattr(backbone, 'in_channels', None)
    if width is None or getattr(backbone, 'data_bn_type', 'MVC') == 'VC':
        persons = None  # each person alike, any number
    elif channels:
        persons = width // (joints * channels)
    elif persons:
        channels = width // (joints * persons)
    if channels and width in (None, (persons or 1) * joints * channels):
        check_input(shape, persons, graph, channels)
