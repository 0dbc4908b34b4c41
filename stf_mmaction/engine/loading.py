"""Load a trained model, its class names and its test data, without a Runner."""

from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from torch import nn

from stf_mmaction.datasets.class_names import (
    as_class_names,
    check_class_names,
    find_class_names,
    read_class_names,
)
from stf_mmaction.datasets.clip_view import view_clips

from .config_file import merge_options, read_config, require
from .provenance import check_provenance
from .sanity_hooks import dataset_meta, num_classes_of
from .weights import fit_weights


def check_device(device: Union[str, torch.device]) -> None:
    """Raise a ValueError unless PyTorch can compute on a device.

    Args:
        device (str or torch.device): As PyTorch names it.
    """
    try:
        torch.zeros(1, device=device).item()  # 'meta' has no numbers
    except (RuntimeError, AssertionError, ImportError) as error:
        why = str(error).partition('\n')[0].rstrip('.')
        raise ValueError(f"device {str(device)!r} cannot be used ({why}): use 'cpu'") from None


def load_model(
    config: Union[str, Config],
    checkpoint: Optional[str],
    device: str = 'cpu',
    cfg_options: Optional[Dict] = None,
) -> Tuple[Config, nn.Module]:
    """Build the model of a config and load its weights.

    Args:
        config (str or Config): Config file, or its contents.
        checkpoint (str, optional): Checkpoint file or URL. None keeps random
            weights.
        device (str): Defaults to ``'cpu'``.
        cfg_options (dict, optional): Overrides in the config.
            Defaults to None.

    Returns:
        tuple: The config and the model, in evaluation mode. Its
        ``dataset_meta`` comes from the checkpoint, as in MMEngine's APIs.

    Raises:
        ValueError: If the weights do not fit the model, or were trained on
            another stream, layout or preparation.
    """
    check_device(device)
    cfg = config if isinstance(config, Config) else read_config(config)
    merge_options(cfg, cfg_options)
    require(cfg, 'a network', 'model')
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    model = MODELS.build(cfg.model)
    if checkpoint is not None:
        loaded = CheckpointLoader.load_checkpoint(checkpoint, 'cpu', logger=None)
        state, said = fit_weights(model, loaded, checkpoint)
        for sentence in said + check_provenance(loaded, cfg, checkpoint):
            print_log(sentence, logger='current')
        model.load_state_dict(state, strict=False)
        model.dataset_meta = dataset_meta(loaded)
    return cfg, model.to(device).eval()


def class_names_of(
    model: nn.Module, dataset=None, names: Union[str, Path, Sequence[str], None] = None
) -> List[str]:
    """Return the names of the classes of a model.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``; its
            ``dataset_meta`` may have ``classes``.
        dataset (BaseDataset, optional): Its ``metainfo`` may have
            ``classes``, which take precedence.
        names (str, Path or Sequence[str], optional): Names, or a text file
            with one per line. Defaults to None, those that are known, or
            ``class 0`` and so on.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If ``names`` does not have one name per class.
    """
    number = num_classes_of(model)
    if names is not None:
        source = str(names) if isinstance(names, (str, Path)) else 'class_names'
        read = read_class_names(names) if source != 'class_names' else names
        read = as_class_names(list(read), source)
        check_class_names(read, number, source)
        return list(read)
    metas = (getattr(dataset, 'metainfo', None), getattr(model, 'dataset_meta', None))
    known = find_class_names(number, *metas)
    return list(known or (f'class {label}' for label in range(number)))


def build_test_dataset(cfg: Config):
    """Build the test data set of a config.

    Args:
        cfg (mmengine.Config): The config.
    """
    require(cfg, 'this tool', 'test_dataloader')
    return view_clips(DATASETS.build(cfg.test_dataloader.dataset))
