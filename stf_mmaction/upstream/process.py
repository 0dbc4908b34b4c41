"""How a process without GPUs starts, keeps memory and ends."""

import atexit
import ctypes
import os
import sys
import time


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
