"""Layouts and input checks for backbones that are not built-in."""

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
    """Return the config of a backbone with a layout that MMAction2's ``Graph`` accepts.

    This is only for backbones that use it; built-in ones know all layouts, and others
    may have their own names.

    Args:
        backbone (dict): Its ``graph_cfg.layout`` may be any built-in one.

    Raises:
        ValueError: If the layout is unknown or is not a skeleton.
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
    """Raise a ValueError if data of a shape does not fit, as far as the backbone reveals it.

    MMAction2's backbones have ``graph``, ``data_bn``, ``in_channels`` and ``num_person``. If
    these are inconsistent, they mean something else, and nothing is checked.

    Args:
        backbone (torch.nn.Module): One that does not check its input itself.
        shape (Sequence[int]): (clips, M, T, V, C).

    Raises:
        ValueError: If it does not fit.
    """
    graph = getattr(backbone, 'graph', None)
    joints = getattr(graph, 'num_node', None)
    if joints is None:
        return
    width = getattr(getattr(backbone, 'data_bn', None), 'num_features', None)
    persons = getattr(backbone, 'num_person', None)
    channels = getattr(backbone, 'in_channels', None)
    if width is None or getattr(backbone, 'data_bn_type', 'MVC') == 'VC':
        persons = None  # the same for each person, for any number of them
    elif channels:
        persons = width // (joints * channels)
    elif persons:
        channels = width // (joints * persons)
    if channels and width in (None, (persons or 1) * joints * channels):
        check_input(shape, persons, graph, channels)
