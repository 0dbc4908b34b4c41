"""A trained model and its test data, without a Runner."""
from typing import Dict, Optional, Tuple

from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import _load_checkpoint
from torch import nn

from .check_hooks import check_weights


def load_model(config: str,
               checkpoint: str,
               device: str = 'cpu',
               cfg_options: Optional[Dict] = None) -> Tuple[Config, nn.Module]:
    """Build the model of a config and load its weights.

    Args:
        config (str): Config file.
        checkpoint (str): Checkpoint file.
        device (str): Defaults to ``'cpu'``.
        cfg_options (dict, optional): Overrides in the config.
            Defaults to None.

    Returns:
        tuple: The config and the model, in evaluation mode.

    Raises:
        ValueError: If the weights do not fit the model.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(cfg_options or {})
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    model = MODELS.build(cfg.model)
    loaded = _load_checkpoint(checkpoint, map_location='cpu')
    state = loaded.get('state_dict', loaded)
    check_weights(model, state, checkpoint)
    model.load_state_dict(state, strict=False)
    return cfg, model.to(device).eval()


def build_test_dataset(cfg: Config):
    """The test clips of a config.

    Args:
        cfg (mmengine.Config): The config.
    """
    return DATASETS.build(cfg.test_dataloader.dataset)
