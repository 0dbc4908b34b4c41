"""Count parameters and multiply-adds of the network of a config."""

import copy
from typing import Any, Sequence, Tuple

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch.utils.flop_counter import FlopCounterMode

from stf_mmaction.datasets.layouts import get_layout


def backbone_of(cfg: Config) -> Config:
    """Return the backbone of a network, or the one that the members of an ensemble share.

    Args:
        cfg (mmengine.Config): With ``model``.
    """
    return (cfg.model.get('shared') or cfg.model).backbone


def input_shape(cfg: Config) -> Tuple[int, int, int, int, int]:
    """Return the shape of one test clip of a config, (1, M, T, V, C).

    Args:
        cfg (mmengine.Config): M, V and C come from its backbone, T from its test
            pipeline.

    Raises:
        ValueError: If the config names no layout or no number of frames.
    """
    net = backbone_of(cfg)
    layout = (net.get('graph_cfg') or {}).get('layout')
    steps = (cfg.get('test_dataloader') or {}).get('dataset', {}).get('pipeline', ())
    frames = next((n for s in steps if (n := s.get('length') or s.get('clip_len'))), None)
    if layout is None or frames is None:
        lacking = 'layout in graph_cfg' if layout is None else 'PadTo or UniformSampleFrames'
        raise ValueError(f'the config has no {lacking}, so the shape is unknown: give --shape')
    joints = get_layout(layout.to_dict() if hasattr(layout, 'to_dict') else layout).num_node
    return (1, net.get('num_person', 2), frames, joints, net.get('in_channels', 3))


def count(cfg: Config, shape: Sequence[int]) -> Tuple[int, int]:
    """Count parameters and multiply-adds of a network, as its operators run.

    Args:
        cfg (mmengine.Config): Its backbones are built for M and C of the shape.
        shape (Sequence[int]): Input (N, M, T, V, C); of a network of several streams, that of
            each stream.

    Returns:
        tuple[int]: Both; for an ensemble, the sums over all members.
    """
    cfg = copy.deepcopy(cfg)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    _fit(cfg.model, shape)
    model = MODELS.build(cfg.model).eval()
    clips, *rest, channels = shape
    channels *= len(getattr(model, 'streams', ('',)))  # side by side
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(
            torch.randn(clips, 1, *rest, channels),
            mode='tensor',
            **({} if hasattr(model, 'members') else dict(stage='head')),
        )
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2


def _fit(cfg: Any, shape: Sequence[int]) -> None:
    """Set persons and channels in every backbone of a model config."""
    if isinstance(cfg, (list, tuple)):
        for item in cfg:
            _fit(item, shape)
    elif isinstance(cfg, dict):
        for key, value in cfg.items():
            if key == 'backbone' and 'graph_cfg' in value:
                value.update(num_person=shape[1], in_channels=shape[4])
            _fit(value, shape)
