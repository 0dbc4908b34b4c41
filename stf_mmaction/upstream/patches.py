"""Patches of MMAction2 and MMEngine, applied by ``import stf_mmaction``."""

import importlib.util
import logging
import os
import re
import sys
import types
import warnings
from pathlib import Path
from urllib.parse import urlparse

MMCV_HINT = (
    'mmcv is missing, which mmaction2 needs: run '
    '"pip install mmcv-lite==2.1.0" (a full mmcv below 2.2.0 also '
    'works)'
)


def apply_patches() -> None:
    """Make a plain ``pip install mmaction2==1.2.0`` work.

    Each patch is logged by the logger ``stf_mmaction`` at level INFO. With
    ``STF_NO_PATCH=1`` in the environment, nothing is changed.

    Raises:
        ImportError: If mmcv or mmaction2 is missing.
    """
    if importlib.util.find_spec('mmcv') is None:
        raise ImportError(MMCV_HINT)
    if importlib.util.find_spec('mmaction') is None:
        raise ImportError('mmaction2 is missing: run "pip install mmaction2==1.2.0"')
    if os.environ.get('STF_NO_PATCH') == '1':
        return
    for patch in (
        _quiet,
        _supply_drn,
        _spare_multimodal,
        _read_checkpoints,
        _write_whole,
        _name_package,
    ):
        patch()
        logging.getLogger('stf_mmaction').info('patched: %s', patch.__doc__.splitlines()[0])


def _name_package() -> None:
    """Let ``_base_ = 'stf_mmaction::stf/<config>.py'`` find the configs of this package."""
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE.setdefault('stf_mmaction', 'stf_mmaction')


def _quiet() -> None:
    """Suppress warnings of every run about which a user can do nothing."""
    # mmcv-lite lacks an operator that skeletons do not use.
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    # MMEngine needs it to find the configs of a package; setup.py pins it.
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')


def _supply_drn() -> None:
    """Supply the localizer that the wheel of mmaction2 imports but lacks."""
    name = 'mmaction.models.localizers.drn'
    root = Path(importlib.util.find_spec('mmaction').origin).parent
    if (root / 'models/localizers/drn/drn.py').is_file() or name in sys.modules:
        return

    class DRN:
        """Stand-in for the localizer that the wheel lacks."""

        def __init__(self, *_, **__) -> None:
            raise ImportError(
                'the DRN localizer is not part of the mmaction2 wheel: '
                'install mmaction2 from its sources to use it'
            )

    package = types.ModuleType(name)
    package.__path__ = []
    module = types.ModuleType(f'{name}.drn')
    module.DRN = DRN
    sys.modules[name] = package
    sys.modules[f'{name}.drn'] = module


def _spare_multimodal() -> None:
    """Leave out the video-text networks of mmaction2 where they cannot be imported.

    mmaction2 imports them whenever transformers is installed, and nothing of it can be imported
    if that is a release without three of its functions, or if timm is missing.
    """
    from mmaction.utils import dependency

    if not dependency.WITH_MULTIMODAL:
        return
    try:
        from timm.models.layers import DropPath  # noqa: F401
        from transformers.modeling_utils import (  # noqa: F401
            apply_chunking_to_forward,
            find_pruneable_heads_and_indices,
            prune_linear_layer,
        )
    except (ImportError, RuntimeError):  # the latter from releases that import lazily
        dependency.WITH_MULTIMODAL = False


def _read_checkpoints() -> None:
    """Make MMEngine read checkpoints as :func:`read_checkpoint` does.

    MMEngine itself cannot read training checkpoints with torch 2.6 and later,
    and with earlier versions it runs code in them.
    """
    from mmengine.runner import CheckpointLoader, checkpoint

    CheckpointLoader.register_scheme('', _load_from_local, force=True)
    CheckpointLoader.register_scheme(('http://', 'https://'), _load_from_url, force=True)
    # The loader behind torchvision:// and open-mmlab://.
    checkpoint.load_from_http = _load_from_url


def _write_whole() -> None:
    """Make MMEngine write files atomically.

    It opens a checkpoint under its final name, so a process that is killed or
    meets a full disk leaves a partial file, possibly in place of a good one.
    """
    from mmengine.fileio import LocalBackend

    LocalBackend.put = _put


def _put(self, obj, filepath) -> None:
    """Write bytes to a file."""
    from stf_mmaction.files import replacing

    with replacing(filepath) as partial:
        partial.write_bytes(obj)


def _load_from_local(filename, map_location=None):
    """Read a file. Its tensors are on the CPU: modules and optimizers move them."""
    from stf_mmaction.files import read_checkpoint

    return read_checkpoint(filename)


def _load_from_url(filename, map_location=None, model_dir=None, progress=False):
    """Download a file once, check it against the eight digits in its name, and read it."""
    import torch
    from mmengine.dist import barrier, get_rank

    from stf_mmaction.files import read_checkpoint

    folder = Path(model_dir or Path(torch.hub.get_dir()) / 'checkpoints')
    path = folder / Path(urlparse(filename).path).name
    if get_rank() == 0 and not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        digits = re.search(r'-([a-f0-9]{8,})\.', path.name)
        torch.hub.download_url_to_file(filename, path, digits and digits[1], progress)
    barrier()
    return read_checkpoint(path)
