"""Start training and tests: code shared by tools/train.py and tools/test.py."""

import argparse
import os
import re
import sys
import time
import traceback
from pathlib import Path
from typing import Callable, Optional

import torch
from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner

import stf_mmaction
from stf_mmaction.files import lock_folder, os_error_sentence
from stf_mmaction.models.backbones.skeleton_backbone import SkeletonBackbone
from stf_mmaction.models.recognizers.inference_config import set_test_pipeline
from stf_mmaction.upstream import tune_malloc, use_cpu_launcher

from .config_file import check_sections, merge_options, read_config, require

# Environment variables in which a launcher sets the rank of a process.
_RANKS = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')
# Errors of these types occur by accident, so their text is no instruction for the user.
_DEFECTS = (AssertionError, AttributeError, LookupError, TypeError, ZeroDivisionError)
CHECKS = (
    'SkeletonCheckHook',
    'CheckpointCheckHook',
    'FiniteCheckHook',
    'ResumeCheckHook',
    'ReproducibleHook',
)


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the common arguments.

    Args:
        args (argparse.Namespace): With ``config`` and what
            :func:`~.arguments.add_common_arguments` adds.

    Returns:
        mmengine.Config: With ``work_dir``, ``launcher`` and the checks of this
        package.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_config(args.config)
    merge_options(cfg, args.cfg_options)
    require(cfg, 'any run', 'model')
    rank = _RANKS.get(args.launcher)
    if rank is not None and rank not in os.environ:
        raise SystemExit(
            f'error: --launcher {args.launcher} needs {rank} in the environment, which the '
            'launcher sets: use tools/dist_train.sh or dist_test.sh, or leave --launcher out'
        )
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if (cfg.get(loader) or {}).get('num_workers', 1) == 0:
            # PyTorch refuses these without workers.
            cfg[loader].persistent_workers = False
            cfg[loader].pop('prefetch_factor', None)
    said = set_test_pipeline(cfg)
    if said and is_first(cfg):
        print(f'warning: {said}', file=sys.stderr)
    hooks = [*CHECKS, 'CUDAGraphHook'] if cfg.get('cuda_graph') else CHECKS
    cfg.custom_hooks = [dict(type=kind) for kind in hooks] + list(cfg.get('custom_hooks') or [])
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build the Runner of a config, with or without GPUs."""
    check_sections(cfg)
    use_cpu_launcher(cfg)
    tune_malloc()
    set_up_cuda(cfg)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    if cfg.get('sync_bn'):
        refuse_sync_bn(runner.model)
    if cfg.get('compile'):
        refuse_compile(runner.model)
    return runner


def refuse_compile(model: torch.nn.Module) -> None:
    """Raise a ValueError if MMEngine would compile the whole training step of a built-in network.

    Args:
        model (torch.nn.Module): The network.

    Raises:
        ValueError: If it has a built-in backbone.
    """
    if any(isinstance(part, SkeletonBackbone) for part in model.modules()):
        raise ValueError(
            'compile=... compiles the whole training step, which torch.compile does not support '
            'here: remove it from the config; docs/gpus.md describes how to compile only the '
            'backbone'
        )


def refuse_sync_bn(model: torch.nn.Module) -> None:
    """Raise a ValueError if synchronised batch norms would be differentiated twice.

    Args:
        model (torch.nn.Module): The network.

    Raises:
        ValueError: If a head has the coherence loss.
    """
    if any(getattr(part, 'loss_coherence', None) is not None for part in model.modules()):
        raise ValueError(
            'loss_coherence differentiates batch norms twice, which SyncBatchNorm does not '
            'support: remove sync_bn from the config, or loss_coherence from cls_head'
        )


PRECISIONS = ('highest', 'high', 'medium')


def set_up_cuda(cfg: Config) -> None:
    """Set options that PyTorch leaves off on CUDA; without a GPU, only check the settings.

    ``float32_matmul_precision='high'``, the default, lets matrix products in float32 use TF32
    tensor cores, as convolutions do; ``'highest'`` does not. ``randomness.deterministic`` needs a
    fixed workspace of cuBLAS, which is set unless the environment has one.

    Args:
        cfg (mmengine.Config): ``float32_matmul_precision`` and ``randomness`` are read.

    Raises:
        SystemExit: If the precision is unknown.
    """
    precision = cfg.get('float32_matmul_precision', 'high')
    if precision not in PRECISIONS:
        raise SystemExit(
            f'error: float32_matmul_precision={precision!r} is unknown: use one of {PRECISIONS}'
        )
    if (cfg.get('randomness') or {}).get('deterministic'):
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision(precision)


def use_amp(cfg: Config) -> None:
    """Train in mixed precision: bfloat16 if the GPU supports it, else float16 with a loss scale.

    ``dtype`` and ``loss_scale`` of the config are kept.

    Args:
        cfg (mmengine.Config): ``optim_wrapper`` is changed.

    Raises:
        SystemExit: If the optimizer wrapper does not fit, or there is no GPU.
    """
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise SystemExit(f'error: --amp does not work with {kind}: use an OptimWrapper')
    check_amp('--amp')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    dtype = cfg.optim_wrapper.setdefault('dtype', 'bfloat16' if bf16 else 'float16')
    # bfloat16 has the range of float32: nothing underflows.
    scale = dict(enabled=False) if dtype == 'bfloat16' else 'dynamic'
    cfg.optim_wrapper.setdefault('loss_scale', scale)


def check_amp(what: str) -> None:
    """Raise a SystemExit if mixed precision has no GPU, which MMEngine requires.

    Args:
        what (str): The option that requires it.
    """
    if not torch.cuda.is_available():
        raise SystemExit(
            f'error: {what} needs a GPU and PyTorch sees none: leave it out (on a CPU bfloat16 '
            'saves memory, but is slower)'
        )


def lock_work_dir(cfg: Config) -> None:
    """Lock the work folder for other trainings while this one runs.

    Args:
        cfg (mmengine.Config): ``work_dir`` and ``launcher`` are read.

    Raises:
        SystemExit: If another training writes there.
    """
    if is_first(cfg):
        lock_folder(cfg.work_dir)


def is_first(cfg: Config) -> bool:
    """Return whether this is the only process of a run, or its first."""
    rank = _RANKS.get(cfg.launcher)
    return rank is None or os.environ.get(rank, '0') == '0'


def run(main: Callable[[], None]) -> None:
    """Run a tool; end in one sentence if a setting or a file is wrong.

    Errors that this package raises name the remedy, so their traceback is left
    out. The same holds for missing files, names that no registry knows and
    checkpoints that cannot be read. ``STF_TRACEBACK=1`` shows the traceback.
    """
    for stream in (sys.stdout, sys.stderr):  # File names may not be in UTF-8.
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
    try:
        main()
    except Exception as error:
        if _lost_another(error):
            # torchrun names the process whose end it sees first, which should be the other.
            time.sleep(1)
        sentence = _sentence(error, Path(main.__code__.co_filename).parent)
        if os.environ.get('STF_TRACEBACK') or sentence is None:
            raise
        sys.exit(f'error: {sentence}')


def _lost_another(error: Exception) -> bool:
    """Return whether a collective failed because another process of the run has ended."""
    signs = 'Connection reset by peer', 'Connection closed by peer', 'remote process exited'
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def _sentence(error: Exception, tools: Path) -> Optional[str]:
    """Return a message for the user, or None if only a traceback helps."""
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, OSError):  # Missing files, full disks, folders of others.
        return os_error_sentence(error)
    if _lost_another(error):
        return (
            'another process of this run has ended, so this one stops; the message of the other '
            'says why, or the kernel log if it was killed (for memory, say)'
        )
    ours = Path(stf_mmaction.__file__).parent
    if ours in files[-1].parents and not isinstance(error, _DEFECTS):
        return str(error) or type(error).__name__
    if 'in DataLoader worker' in str(error).partition('\n')[0]:
        return _worker_sentence(str(error), ours)
    if isinstance(error, ValueError) and tools in files[-1].parents:
        return str(error)
    reading = 'serialization.py' in [file.name for file in files]
    if reading and not isinstance(error, (ImportError, KeyError)):
        # PyTorch's own text suggests turning the protection off.
        return (
            'the checkpoint cannot be read: it is damaged, or it holds '
            'more than weights and numbers, which could run code and is '
            'refused'
        )
    replaced = re.match(r'(\w+)=.*_delete_=True', str(error), re.S)
    if isinstance(error, TypeError) and replaced:  # MMEngine's, of a config
        key = replaced[1]
        file = ', or give the path of a .json file with it' if key == 'layout' else ''
        return (
            f'{key} is a dict in your config and something else in its _base_: write '
            f'{key}=dict(_delete_=True, ...) to replace it{file}'
        )
    if isinstance(error, KeyError) and 'registry' in files[-1].parts:
        return error.args[0].partition('\n')[0][:500]  # str() of a KeyError adds quotes
    # Arguments that a class does not have, anywhere in a registry's call.
    built = 'build_functions.py' in [file.name for file in files]
    if built and isinstance(error, TypeError) and re.match(r'[\w.]+\(\) (got|missing)', str(error)):
        return f'{error}: correct that part of the config'
    return None


def _worker_sentence(text: str, ours: Path) -> Optional[str]:
    """Return the last line of a worker's traceback, if this package raised it."""
    files = re.findall(r'^  File "(.+)", line \d+, in ', text, re.MULTILINE)
    last = re.split(r'^\w*(?:Error|Exit): ', text, flags=re.MULTILINE)[-1].strip()
    return last if files and ours in Path(files[-1]).parents else None
