"""Build the data preprocessor of a recognizer."""

from typing import Dict, Optional

from mmaction.registry import MODELS
from torch import nn


def build_preprocessor(cfg: Optional[Dict]) -> nn.Module:
    """Build a data preprocessor, also outside a Runner.

    MMEngine looks it up in the default scope, which only a Runner sets.

    Args:
        cfg (dict, optional): None means MMAction2's ActionDataPreprocessor.
    """
    cfg = dict(type='ActionDataPreprocessor') if cfg is None else cfg
    return MODELS.build(cfg) if isinstance(cfg, dict) else cfg
