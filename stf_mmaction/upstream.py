"""All workarounds for faults of other packages.

Seen with mmaction2 1.2.0, mmengine 0.10.7, torch 2.13.0 and NumPy 2.4.
"""

import atexit
import ctypes
import importlib.util
import logging
import os
import re
import sys
import time
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


def use_cpu_launcher(cfg) -> None:
    """Make a distributed run start without a GPU.

    MMEngine sets a CUDA device for every process and passes its number to DDP.
    Here, the process group uses gloo and is created beforehand.

    Args:
        cfg (mmengine.Config): ``launcher``, ``env_cfg``, ``model_wrapper_cfg``
            and ``find_unused_parameters`` are read; ``model_wrapper_cfg`` is
            replaced.
    """
    import torch
    from mmengine.dist import init_dist
    from mmengine.utils.dl_utils import set_multi_processing

    launcher = cfg.get('launcher', 'none')
    if launcher == 'none' or torch.cuda.is_available():
        return
    env = cfg.get('env_cfg') or {}
    # As in the Runner: init_dist would choose another start method.
    set_multi_processing(**env.get('mp_cfg', {}), distributed=True)
    set_device = torch.cuda.set_device
    torch.cuda.set_device = lambda device: None
    try:
        init_dist(launcher, **{**env.get('dist_cfg', {}), 'backend': 'gloo'})
    finally:
        torch.cuda.set_device = set_device
    delay_exit_for_gloo()
    cfg.model_wrapper_cfg = {
        'type': 'MMDistributedDataParallel',
        'broadcast_buffers': False,
        'find_unused_parameters': cfg.get('find_unused_parameters', False),
        **(cfg.get('model_wrapper_cfg') or {}),
        'device_ids': None,
    }


def built_loop(runner, phase: str):
    """Return a loop of a Runner, or None if the config has none or it is not built yet.

    The Runner's properties of these names would build it.

    Args:
        runner (mmengine.runner.Runner): The runner.
        phase (str): ``'train'``, ``'val'`` or ``'test'``.
    """
    from mmengine.runner import BaseLoop

    loop = getattr(runner, f'_{phase}_loop')
    return loop if isinstance(loop, BaseLoop) else None


def dataset_of_loader(runner, phase: str):
    """Return a data set of a Runner, or its config if it is not built; None without a loader.

    Args:
        runner (mmengine.runner.Runner): The runner.
        phase (str): ``'train'``, ``'val'`` or ``'test'``.
    """
    loader = getattr(runner, f'_{phase}_dataloader')
    return loader.get('dataset') if isinstance(loader, dict) else getattr(loader, 'dataset', None)


def is_resumed(runner) -> bool:
    """Return whether a Runner resumes a training from a checkpoint."""
    return runner._resume


def loaded_path(runner) -> str:
    """Return the checkpoint that a Runner loads, as a config names it."""
    return str(runner._load_from or 'the checkpoint')


def seeds_differ(runner) -> bool:
    """Return whether each process of a Runner has its own seed."""
    return runner._randomness_cfg.get('diff_rank_seed', False)


def replace_dataset(loader, dataset) -> None:
    """Replace the data set of a DataLoader by one of the same length and order.

    DataLoader refuses a plain assignment, since its sampler would not change.

    Args:
        loader (torch.utils.data.DataLoader): Changed in place.
        dataset (torch.utils.data.Dataset): The new one.
    """
    loader.__dict__['dataset'] = dataset


def check_sliced(loader, name: str) -> None:
    """Raise a ValueError if ``num_batch_per_epoch`` requires more clips than there are.

    MMEngine would raise an IndexError during the epoch.

    Args:
        loader (torch.utils.data.DataLoader): The loader.
        name (str): Named in the error.
    """
    parts = vars(loader.dataset)
    inner = vars(parts.get('dataset', loader.dataset)).get('_dataset')  # within SeededDataset
    if inner is not None and len(loader.dataset) > len(inner):
        raise ValueError(
            f'num_batch_per_epoch of {name} needs {len(loader.dataset)} clips, the data set has '
            f'{len(inner)}: use a smaller one, or a RepeatDataset'
        )


def inner_index(dataset, index: int):
    """Return the index with which one of MMEngine's wrappers finds a clip.

    Args:
        dataset (ConcatDataset, RepeatDataset or ClassBalancedDataset): The wrapper.
        index (int): Index of the clip.

    Returns:
        int or tuple[int]: The index; for a ``ConcatDataset`` the data set and the index in it.
    """
    return dataset._get_ori_dataset_idx(index)


def tune_malloc() -> bool:
    """Make a process without GPUs keep freed memory.

    glibc returns the end of the heap to the system after one step and requests
    it again in the next, with a page fault for every 4 KiB, which takes up to
    a quarter of a step of ``STFEnsemble``. Tensors above 32 MiB are not kept,
    which is the highest threshold that glibc accepts.

    Returns:
        bool: Whether it did so. It does not if the environment has its own
        settings, or another C library is in use.
    """
    import torch

    own = {'MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_MMAP_MAX_', 'GLIBC_TUNABLES'}
    if own & set(os.environ) or torch.cuda.is_available() or sys.platform != 'linux':
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD, the largest there is
    mallopt(-3, 2**25)  # M_MMAP_THRESHOLD, which no longer grows by itself
    return True


def delay_exit_for_gloo() -> None:
    """Prevent occasional aborts at the end of a process that used gloo.

    Gloo's threads need the interpreter to free the tensors of their last call,
    and end the process with "terminate called without an active exception" if
    it is already shutting down. DDP prevents the process group from being
    destroyed, which would wait for them. So the main thread waits for a moment
    when it exits.
    """
    atexit.register(time.sleep, 0.1)
