"""What has to be mended in other packages, all of it here.

Seen with mmaction2 1.2.0, mmengine 0.10.7, torch 2.13.0 and NumPy 2.4.
"""

import atexit
import collections
import ctypes
import importlib.util
import os
import sys
import time
import types
import warnings
from pathlib import Path

MMCV_HINT = (
    'mmcv is missing, which mmaction2 needs: run '
    '"pip install mmcv-lite==2.1.0" (a full mmcv below 2.2.0 is as '
    'good)'
)


def apply_patches() -> None:
    """Make a plain ``pip install mmaction2==1.2.0`` work.

    Raises:
        ImportError: If mmcv or mmaction2 is missing.
    """
    if importlib.util.find_spec('mmcv') is None:
        raise ImportError(MMCV_HINT)
    if importlib.util.find_spec('mmaction') is None:
        raise ImportError('mmaction2 is missing: run "pip install mmaction2==1.2.0"')
    _quiet()
    _supply_drn()
    _allow_checkpoint_types()
    _check_downloads()


def _quiet() -> None:
    """Leave out warnings of every run that a user can do nothing about."""
    # mmcv-lite lacks an operator that skeletons do not use.
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    # MMEngine needs it to find the configs of a package; setup.py pins it.
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')


def _supply_drn() -> None:
    """The wheel of mmaction2 lacks one localizer that it imports."""
    name = 'mmaction.models.localizers.drn'
    root = Path(importlib.util.find_spec('mmaction').origin).parent
    if (root / 'models/localizers/drn/drn.py').is_file() or name in (sys.modules):
        return

    class DRN:
        """Stands in for the localizer that the wheel lacks."""

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


def _allow_checkpoint_types() -> None:
    """What MMEngine keeps in a checkpoint, for torch's restricted reader.

    They only hold numbers. Anything else is still refused.
    """
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    core = getattr(np, '_core', None) or np.core
    scalars = [np.dtype(kind).type for kind in '?bhilqBHILQefd']
    allowed = [
        HistoryBuffer,
        collections.deque,
        np.ndarray,
        np.dtype,
        core.multiarray._reconstruct,
        core.multiarray.scalar,
        *{type(np.dtype(scalar)) for scalar in scalars},
    ]
    # Checkpoints written with NumPy 1 name its modules otherwise.
    allowed += [
        (core.multiarray._reconstruct, 'numpy.core.multiarray._reconstruct'),
        (core.multiarray.scalar, 'numpy.core.multiarray.scalar'),
        (core.multiarray._reconstruct, 'numpy._core.multiarray._reconstruct'),
        (core.multiarray.scalar, 'numpy._core.multiarray.scalar'),
    ]
    # HistoryBuffer names its statistics by getattr, which would reach
    # anything if it were allowed itself.
    allowed.append((_statistic, 'builtins.getattr'))
    torch.serialization.add_safe_globals(allowed)


def _check_downloads() -> None:
    from mmengine.runner import CheckpointLoader

    CheckpointLoader.register_scheme(('http://', 'https://'), _load_from_url, force=True)


def _load_from_url(filename, map_location=None, model_dir=None, progress=False):
    """As MMEngine's, which would run code from the file it downloads.

    The eight digits in the name of a published checkpoint are checked.
    """
    import torch
    from mmengine.dist import barrier, get_rank

    def load():
        return torch.hub.load_state_dict_from_url(
            filename, model_dir, map_location, progress, check_hash=True, weights_only=True
        )

    checkpoint = load() if get_rank() == 0 else None  # downloads once
    barrier()
    return load() if checkpoint is None else checkpoint


def _statistic(owner, name: str):
    """``getattr`` for the statistics of MMEngine's HistoryBuffer alone."""
    from mmengine.logging import HistoryBuffer

    if owner is HistoryBuffer and name in ('min', 'max', 'current', 'mean'):
        return getattr(owner, name)
    raise ValueError(
        f'a checkpoint asks for {name!r} of {owner!r}, which '
        'none of MMEngine does: it is not to be trusted'
    )


def use_cpu_launcher(cfg) -> None:
    """Let a distributed run start where there is no GPU.

    MMEngine sets a CUDA device for every process and hands its number to
    DDP. Here the process group is gloo and made before MMEngine asks.

    Args:
        cfg (mmengine.Config): ``launcher``, ``env_cfg``,
            ``model_wrapper_cfg`` and ``find_unused_parameters`` are read,
            ``model_wrapper_cfg`` is replaced.
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


def tune_malloc() -> bool:
    """Let a process without GPUs keep what its tensors give back.

    glibc returns the end of the heap to the system after one step and asks
    for it again in the next, with a page fault for every 4 KiB: up to a
    quarter of a step of ``STFEnsemble``. Tensors above 32 MiB are not kept:
    that is the most that glibc lets be set.

    Returns:
        bool: Whether it did so. Not where the environment has settings of
        its own, or another C library is in use.
    """
    import torch

    own = {'MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_MMAP_MAX_', 'GLIBC_TUNABLES'}
    if own & set(os.environ) or torch.cuda.is_available() or (sys.platform != 'linux'):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD, the largest there is
    mallopt(-3, 2**25)  # M_MMAP_THRESHOLD, which no longer grows by itself
    return True


def delay_exit_for_gloo() -> None:
    """Let a process that used gloo end without an abort now and then.

    Gloo's threads need the interpreter to drop the tensors of their last
    call, and end the process with "terminate called without an active
    exception" where it is already being taken down. DDP keeps the process
    group from being destroyed, which would wait for them: so the main
    thread steps aside for a moment when it exits.
    """
    atexit.register(time.sleep, 0.1)
