"""Measure the time and memory of the networks of the benchmark."""

import argparse
import gc
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from stf_mmaction.models.recognizers.graphed_loss import WARM_UP

from .networks import build, forward, make_batch, step


def seconds(work: Callable[[], None], device: str) -> float:
    """Return the seconds that some work takes, including its kernels on a GPU."""
    if device != 'cpu':
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(names: List[str], x, labels, args: argparse.Namespace) -> Dict[str, Dict]:
    """Measure the forward pass and the training step of each network.

    The networks take turns. A ratio is the median of the ratios of the rounds, so
    that a machine that slows down for a while changes both sides of it.

    Args:
        names (list[str]): Names as for :func:`build`; ratios are to the first.
        x (torch.Tensor): Clips, shape (N, 1, M, T, V, C).
        labels (torch.Tensor): Shape (N,).
        args (argparse.Namespace): Arguments of ``tools/benchmark.py``.

    Returns:
        dict[str, dict]: Of each network, median seconds ``forward`` and
        ``step``; ``forward_ratio`` and ``step_ratio``, the time of the first
        network over its own; ``params``; ``flops``, in multiply-adds.
    """
    models = {name: build(name, args) for name in names}
    times = {name: dict(forward=[], step=[]) for name in names}
    if args.device != 'cpu':
        for model in models.values():
            for _ in range(WARM_UP + 1):  # after these, a step is replayed
                step(model, x, labels)
    for _ in range(args.rounds):
        for name, model in models.items():
            for kind, work in (('forward', forward), ('step', step)):
                # Run once before the clock starts, so that the caches and the allocator
                # are as after a step of the same network, not of another.
                work(model, x, labels)
                times[name][kind].append(seconds(partial(work, model, x, labels), args.device))
    rows = {}
    for name, kinds in times.items():
        rows[name] = {kind: statistics.median(rounds) for kind, rounds in kinds.items()}
        for kind, rounds in kinds.items():
            ratios = [first / own for first, own in zip(times[names[0]][kind], rounds)]
            rows[name][f'{kind}_ratio'] = statistics.median(ratios)
        rows[name]['params'] = sum(p.numel() for p in models[name].parameters())
        with FlopCounterMode(display=False) as counter:
            forward(models[name], x, labels)
        rows[name]['flops'] = counter.get_total_flops() / 2
    return rows


def kernel_table(name: str, x, labels, args: argparse.Namespace) -> str:
    """Return a table of PyTorch's profiler: the operators and kernels of a training step by time.

    Args:
        name (str): As for :func:`build`.
        x (torch.Tensor): Clips, shape (N, 1, M, T, V, C).
        labels (torch.Tensor): Shape (N,).
        args (argparse.Namespace): Arguments of ``tools/benchmark.py``.
    """
    model = build(name, args)
    step(model, x, labels)
    device, activities = 'cpu', [ProfilerActivity.CPU]
    if args.device != 'cpu':
        device, activities = 'cuda', [*activities, ProfilerActivity.CUDA]
    with profile(activities=activities) as profiler:
        seconds(partial(step, model, x, labels), args.device)
    key = f'self_{device}_time_total'
    return profiler.key_averages().table(key, row_limit=40, max_name_column_width=90)


def gemm_rate(device: str) -> float:
    """Return the multiply-adds per second of a large matrix product, an upper bound."""
    a, b, out = torch.randn(3, 2048, 2048).to(device)
    times = [seconds(lambda: torch.mm(a, b, out=out), device) for _ in range(9)]
    return 2048**3 / statistics.median(times)


def peak_memory(name: str, args: argparse.Namespace) -> float:
    """Return the peak memory in MiB of two training steps, without that of the network itself.

    On a GPU the steps are launched, not replayed, as PyTorch does not see the memory of a replay.
    """
    x, labels = make_batch(args)
    model = build(name, args)
    if args.device != 'cpu':
        step(model, x, labels)  # cuDNN needs more while it looks for the fastest algorithms
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        for _ in range(2):
            step(model, x, labels)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    gc.collect()
    Path('/proc/self/clear_refs').write_text('5')  # forget the peak so far
    before = resident('VmRSS')
    for _ in range(2):
        step(model, x, labels)
    return resident('VmHWM') - before


def resident(key: str) -> float:
    """Return the memory of this process in MiB, now (VmRSS) or at its peak (VmHWM), on Linux."""
    status = Path('/proc/self/status').read_text()
    return int(status.split(f'{key}:')[1].split()[0]) / 2**10
