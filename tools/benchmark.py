"""Measure the time and memory of networks beside the published formulation.

All networks run in one process and take turns. Each runs twice per turn, and the second run
counts; the table shows the median of several rounds. Its first row is the reference, MS-G3D as
published, of the same size. On a CPU, peak memory is measured in a separate process for each
network.

With ``--count`` nothing is timed: a training step runs on fake tensors, and its kernel launches,
bytes, FLOPs and peak memory on a GPU are counted, on any machine.
"""

import argparse
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Dict, List, Tuple

import torch

from stf_mmaction.benchmark.measures import gemm_rate, kernel_table, measure, peak_memory
from stf_mmaction.benchmark.networks import REFERENCE, VARIANTS, build, input_shape, make_batch
from stf_mmaction.engine.arguments import (
    add_cfg_options,
    add_device_argument,
    existing,
    positive,
)
from stf_mmaction.engine.cli import PRECISIONS, run
from stf_mmaction.engine.inference import check_device
from stf_mmaction.engine.step_counter import GPUS, Cost, count_step
from stf_mmaction.upstream import tune_malloc


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'configs',
        nargs='+',
        type=existing,
        help='config files; the first also gives the size of the reference',
    )
    parser.add_argument(
        '--batch', type=positive, default=4, help='clips per batch (default: %(default)s)'
    )
    parser.add_argument(
        '--frames', type=positive, default=100, help='frames per clip (default: %(default)s)'
    )
    parser.add_argument(
        '--rounds',
        type=positive,
        default=5,
        help='measurements of each network (default: %(default)s)',
    )
    parser.add_argument(
        '--variants',
        nargs='+',
        default=(),
        choices=VARIANTS,
        help='also measure the first config with with_cp=True, torch.compile, '
        'bfloat16 autocast, the focus for the two most probable classes in the forward pass, or on '
        'a GPU a step that is launched, not replayed as a CUDA graph',
    )
    parser.add_argument(
        '--no-reference',
        action='store_true',
        help='compare with the first config instead, for other networks',
    )
    parser.add_argument('--layout', help='layout of the skeleton; defaults to that of the configs')
    parser.add_argument(
        '--tune-malloc',
        action='store_true',
        help='time all networks with the allocator settings of tools/train.py on a CPU, instead '
        'of the defaults of glibc',
    )
    add_device_argument(parser)
    add_cfg_options(parser)
    parser.add_argument(
        '--matmul-precision',
        choices=PRECISIONS,
        help='precision of float32 matrix products on CUDA; high, the default, allows TF32',
    )
    parser.add_argument(
        '--profile',
        metavar='FILE',
        help='also write the operators and kernels of a training step, by time, to this file',
    )
    parser.add_argument(
        '--count',
        action='store_true',
        help='count launches, bytes, FLOPs and peak memory of a training step on a GPU instead of '
        'timing it; needs no GPU',
    )
    parser.add_argument('--json', metavar='FILE', help='write the counts of --count to this file')
    parser.add_argument(
        '--gpu',
        default='a100',
        choices=GPUS,
        help='GPU whose time --count models (default: %(default)s)',
    )
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.json and not args.count:
        parser.error('--json writes what --count counts: add --count')
    if args.profile and args.count:
        parser.error('--profile writes what a step takes, --count runs none: leave one out')
    if args.count:
        args.device = 'cpu'  # where the fake tensors are made
        if not set(args.variants) <= {'cp', 'bf16'}:
            parser.error('--count counts a training step: its variants are cp and bf16')
    return args


def memory_in_a_new_process(name: str) -> float:
    """Return the peak memory of a network in MiB, from a new process without an earlier peak."""
    out = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], '--memory-of', name],
        check=True,
        capture_output=True,
        text=True,
        # Freed memory is returned to the system, so that the peak is what is in use.
        env=dict(os.environ, MALLOC_TRIM_THRESHOLD_='0'),
    )
    return float(out.stdout.split()[-1])


def count(names: List[str], args: argparse.Namespace) -> None:
    """Print the cost of a training step of each network on a GPU, and write it to ``--json``."""
    shape = input_shape(args)
    costs = {
        name: count_step(partial(build, name, args), shape, name.endswith('+bf16'))
        for name in names
    }
    show_costs(costs, shape, args.gpu)
    if args.json:
        counts = {
            name: {key: getattr(cost, key) for key in ('launches', 'bytes', 'flops', 'peak_bytes')}
            for name, cost in costs.items()
            if name != REFERENCE
        }
        Path(args.json).write_text(json.dumps(counts, indent=2) + '\n')


def show_costs(costs: Dict[str, Cost], shape: Tuple, gpu: str) -> None:
    """Print the table of :func:`count`."""
    print(
        f'\ninput {shape}, one training step without its optimizer, counted on fake tensors; two '
        f'FLOP per multiply-add.\nThe times are those of a model of a GPU ({gpu}): GPU / host ms; '
        'a step takes at least the longer one.\n'
    )
    print('| network | launches | GB moved | GFLOP | peak GB | default flags | TF32 |')
    print('|' + ' --- |' * 7)
    for name, cost in costs.items():
        times = (cost.seconds(GPUS[gpu], tf32) for tf32 in (False, True))
        times = [f'{1e3 * busy:.1f} / {1e3 * host:.1f} ms' for busy, host in times]
        print(
            f'| {Path(name).name.replace(".py", "")} | {cost.launches} | {cost.bytes / 1e9:.1f} '
            f'| {cost.flops / 1e9:.0f} | {cost.peak_bytes / 1e9:.2f} | {times[0]} | {times[1]} |'
        )


def main() -> None:
    """Time the networks, or count a training step."""
    args = parse_args()
    check_device(args.device)
    if args.device != 'cpu':
        torch.set_float32_matmul_precision(args.matmul_precision or 'high')
        torch.backends.cudnn.benchmark = True  # as in training
    if args.memory_of:
        print(peak_memory(args.memory_of, args))
        return
    if args.tune_malloc and not tune_malloc():
        raise ValueError(
            '--tune-malloc has nothing to set: the environment has MALLOC_* '
            'or GLIBC_TUNABLES, there is a GPU, or this is not glibc; leave '
            'it out'
        )
    names = [] if args.no_reference else [REFERENCE]
    names += args.configs
    names += [f'{args.configs[0]}+{variant}' for variant in args.variants]
    if args.count:
        count(names, args)
        return
    x, labels = make_batch(args)
    rows = measure(names, x, labels, args)
    for name in names:
        # PyTorch counts the memory of a GPU itself, so that a process can measure many peaks.
        own = memory_in_a_new_process(name) if args.device == 'cpu' else peak_memory(name, args)
        rows[name]['memory'] = own
    show(rows, tuple(x.shape), args)
    if args.profile:
        tables = (f'{name}\n{kernel_table(name, x, labels, args)}' for name in names)
        Path(args.profile).write_text('\n'.join(tables))


def show(rows: Dict[str, Dict], shape: Tuple, args: argparse.Namespace) -> None:
    """Print the table, with ratios to the first row.

    Args:
        rows (dict[str, dict]): Measurements of each network, see :func:`measure`.
        shape (tuple[int]): Of the input, (N, 1, M, T, V, C).
        args (argparse.Namespace): The command line.
    """
    first = next(iter(rows.values()))
    rate = gemm_rate(args.device)
    print(
        f'\ninput {shape}, {args.rounds} rounds, '
        f'{torch.get_num_threads()} threads, torch {torch.__version__}, '
        f'{"freed memory kept, " * args.tune_malloc}'
        f'{rate / 1e9:.0f} G multiply-adds/s in a large product\n'
    )
    print('| network | params | FLOPs | forward | | step | | clips/s | peak memory | |')
    print('|' + ' --- |' * 10)
    for name, row in rows.items():
        print(
            f'| {Path(name).name.replace(".py", "")} '
            f'| {row["params"] / 1e6:.2f} M | {row["flops"] / 1e9:.1f} G '
            f'| {row["forward"]:.4g} s '
            f'| {row["forward_ratio"]:.2f} x '
            f'| {row["step"]:.4g} s | {row["step_ratio"]:.2f} x '
            f'| {args.batch / row["step"]:.2f} '
            f'| {row["memory"]:.0f} MiB '
            f'| {row["memory"] / first["memory"]:.2f} x |'
        )


if __name__ == '__main__':
    run(main)
