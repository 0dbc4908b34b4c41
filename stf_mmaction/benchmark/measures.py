"""Time and memory of the networks of the benchmark."""

import argparse
import gc
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List

import torch
from torch.utils.flop_counter import FlopCounterMode

from .networks import build, forward, make_batch, step


def seconds(work: Callable[[], None], device: str) -> float:
    """Return how long some work takes; that of a GPU is waited for."""
    if device != 'cpu':
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(names: List[str], x, labels, args: argparse.Namespace) -> Dict[str, Dict]:
    """Measure forward pass and step of each network: median seconds and ratio to the first.

    The networks take turns. A ratio is the median of those of the rounds, so
    that a machine that slows down for a while changes both sides of it.
    """
    models = {name: build(name, args) for name in names}
    times = {name: dict(forward=[], step=[]) for name in names}
    for _ in range(args.rounds):
        for name, model in models.items():
            for kind, work in (('forward', forward), ('step', step)):
                # Once before the clock runs: the caches and the allocator
                # are then as after a step of the same network, not of another.
                work(model, x, labels)
                times[name][kind].append(seconds(partial(work, model, x, labels), args.device))
    rows = {}
    for name, kinds in times.items():
        rows[name] = {kind: statistics.median(rounds) for kind, rounds in kinds.items()}
        for kind, rounds in kinds.items():
            ratios = [own / other for own, other in zip(times[names[0]][kind], rounds)]
            rows[name][f'{kind}_ratio'] = statistics.median(ratios)
        rows[name]['params'] = sum(p.numel() for p in models[name].parameters())
        with FlopCounterMode(display=False) as counter:
            forward(models[name], x, labels)
        rows[name]['flops'] = counter.get_total_flops() / 2
    return rows


def gemm_rate(device: str) -> float:
    """Measure the multiply-adds per second of a large product, an upper bound."""
    a, b, out = torch.randn(3, 2048, 2048).to(device)
    times = [seconds(lambda: torch.mm(a, b, out=out), device) for _ in range(9)]
    return 2048**3 / statistics.median(times)


def peak_memory(name: str, args: argparse.Namespace) -> float:
    """Measure the MiB that two training steps need, beyond the network itself."""
    x, labels = make_batch(args)
    model = build(name, args)
    if args.device != 'cpu':
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
    """Return MiB of this process, now (VmRSS) or at most (VmHWM); Linux."""
    status = Path('/proc/self/status').read_text()
    return int(status.split(f'{key}:')[1].split()[0]) / 2**10
