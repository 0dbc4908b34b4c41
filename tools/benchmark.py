"""Time and memory of networks, side by side with the published formulation.

All run in one process, interleaved, each twice in a row of which the second
counts, and the median of several rounds is shown.
The first row is the reference: MS-G3D as published, of the same size. Peak
memory is measured in a process of its own for each.

With ``--count`` nothing is timed: a training step runs on fake tensors, and its launches, bytes,
FLOPs and peak memory on a GPU are counted, on any machine.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from published_msg3d import PublishedMSG3D
from torch.utils.flop_counter import FlopCounterMode

from stf_mmaction.engine.cli import PRECISIONS, existing, positive, run
from stf_mmaction.engine.step_counter import GPUS, Cost, count_step
from stf_mmaction.models import MSG3DBackbone, STFRecognizer
from stf_mmaction.upstream import tune_malloc

REFERENCE = 'published'
VARIANTS = ('cp', 'compile', 'bf16', 'focus')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'configs',
        nargs='+',
        type=existing,
        help='config files; the first also gives the size of the reference',
    )
    parser.add_argument('--batch', type=positive, default=4, help='clips (default: %(default)s)')
    parser.add_argument('--frames', type=positive, default=100, help='T (default: %(default)s)')
    parser.add_argument(
        '--rounds',
        type=positive,
        default=5,
        help='how often each is measured (default: %(default)s)',
    )
    parser.add_argument(
        '--variants',
        nargs='+',
        default=(),
        choices=VARIANTS,
        help='the first config once more with with_cp=True, torch.compile, '
        'bfloat16 autocast, or the focus of both top classes in the forward '
        'pass',
    )
    parser.add_argument(
        '--no-reference',
        action='store_true',
        help='compare with the first config instead, for other networks',
    )
    parser.add_argument('--layout', help='of the skeleton, if not that of the configs')
    parser.add_argument(
        '--tune-malloc',
        action='store_true',
        help='time all networks with the allocator as tools/train.py sets it '
        'where there is no GPU, not as glibc does',
    )
    parser.add_argument(
        '--device', default='cpu', help='as PyTorch names it (default: %(default)s)'
    )
    parser.add_argument(
        '--matmul-precision',
        choices=PRECISIONS,
        help='of float32 on CUDA: high lets matrix products use TF32 (default: as tools/train.py)',
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
        help='whose time --count estimates by a model (default: %(default)s)',
    )
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.json and not args.count:
        parser.error('--json writes what --count counts: add --count')
    if args.count and not set(args.variants) <= {'cp', 'bf16'}:
        parser.error('--count counts a training step: its variants are cp and bf16')
    if args.device.startswith('cuda'):
        if not torch.cuda.is_available():
            parser.error(f'--device {args.device}: PyTorch sees no GPU here')
        torch.set_float32_matmul_precision(args.matmul_precision or 'high')
    return args


def backbone_of(cfg: Config):
    """Return the backbone of a network or of the members of an ensemble."""
    return (cfg.model.get('shared') or cfg.model).backbone


def build(name: str, args: argparse.Namespace) -> torch.nn.Module:
    """Build a network by the name of its config, or the reference.

    Args:
        name (str): A config file, perhaps with ``+`` and a variant.
        args (argparse.Namespace): Of the command line.
    """
    file, _, variant = name.partition('+')
    cfg = Config.fromfile(args.configs[0] if name == REFERENCE else file)
    init_default_scope('mmaction')
    if args.layout:
        backbone_of(cfg).graph_cfg = dict(layout=args.layout)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    members = [m for m in model.modules() if isinstance(m, STFRecognizer)]
    if not members:
        raise ValueError(
            f'{file} has a {type(model).__name__}: give its model the '
            "type='STFRecognizer', which computes the same"
        )
    if (name == REFERENCE or variant == 'cp') and not isinstance(
        members[0].backbone, MSG3DBackbone
    ):
        raise ValueError(
            f'{args.configs[0]} is not MS-G3D, and {name} is of that '
            'alone: use --no-reference, without the variant cp'
        )
    for member in members:
        if variant == 'cp':
            member.backbone.with_cp = True
        if variant == 'compile':
            member.backbone = torch.compile(member.backbone)
    if name == REFERENCE:
        net, head = backbone_of(cfg), (cfg.model.get('shared') or cfg.model).cls_head
        layout = model.lead.backbone.layout
        model = PublishedMSG3D(
            layout.inward,
            layout.num_node,
            head.num_classes,
            net.in_channels,
            net.base_channels,
            net.num_gcn_scales,
            net.num_g3d_scales,
            net.num_person,
        )
    model.bf16 = variant == 'bf16'
    model.gives_focus = variant == 'focus'
    return model if args.device == 'cpu' else model.to(args.device)  # fake weights cannot move


def input_shape(args: argparse.Namespace) -> Tuple[int, ...]:
    """Return the shape of the first config's input, (N, M, T, V, C)."""
    net = backbone_of(Config.fromfile(args.configs[0]))  # 2 and 3 by default
    return (
        args.batch,
        net.get('num_person', 2),
        args.frames,
        build(args.configs[0], args).lead.layout.num_node,
        net.get('in_channels', 3),
    )


def make_batch(args: argparse.Namespace):
    """Return random clips of the first config's shape, and labels."""
    clips, *shape = input_shape(args)
    labels = torch.arange(clips) % 2
    return torch.randn(clips, 1, *shape).to(args.device), labels.to(args.device)


def step(model: torch.nn.Module, x, labels) -> None:
    """Compute loss and gradients, as in training."""
    model.train()
    with torch.autocast(x.device.type, torch.bfloat16, enabled=model.bf16):
        if isinstance(model, PublishedMSG3D):
            loss = F.cross_entropy(model(x[:, 0]), labels)
        else:
            samples = [ActionDataSample().set_gt_label(y).to(x.device) for y in labels]
            losses = model(x, samples, mode='loss')
            loss = sum(v for k, v in losses.items() if 'loss' in k)
    loss.backward()
    model.zero_grad()


def forward(model: torch.nn.Module, x, labels) -> None:
    """Compute scores, as in testing, and perhaps where it looks."""
    model.eval()
    autocast = torch.autocast(x.device.type, torch.bfloat16, enabled=model.bf16)
    with torch.no_grad(), autocast:
        if isinstance(model, PublishedMSG3D):
            model(x[:, 0])
        elif model.gives_focus:
            model.focus(x[:, 0])
        elif hasattr(model, 'members'):
            model(x, mode='tensor')
        else:
            model(x, mode='tensor', stage='head')


def seconds(work: Callable[[], None], device: str) -> float:
    if device != 'cpu':
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(names: List[str], x, labels, args: argparse.Namespace) -> Dict[str, Dict]:
    """Measure the median seconds of forward pass and step of each network."""
    models = {name: build(name, args) for name in names}
    times = {name: dict(forward=[], step=[]) for name in names}
    for _ in range(args.rounds):
        for name, model in models.items():
            for kind, work in (('forward', forward), ('step', step)):
                # Once before the clock runs: the caches and the allocator
                # are then as after a step of the same network, not of another.
                work(model, x, labels)
                times[name][kind].append(seconds(lambda: work(model, x, labels), args.device))
    rows = {}
    for name, kinds in times.items():
        rows[name] = {k: statistics.median(v) for k, v in kinds.items()}
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


def memory_in_a_process_of_its_own(name: str) -> float:
    """Measure in a new process: the peak of one cannot be reset."""
    out = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], '--memory-of', name],
        check=True,
        capture_output=True,
        text=True,
        # Give freed memory back, so that the peak is what is in use.
        env=dict(os.environ, MALLOC_TRIM_THRESHOLD_='0'),
    )
    return float(out.stdout.split()[-1])


def count(names: List[str], args: argparse.Namespace) -> None:
    """Print what a training step of each network costs on a GPU, and write it to a file."""
    shape = input_shape(args)
    args.device = 'cpu'
    costs = {
        name: count_step(lambda: build(name, args), shape, name.endswith('+bf16')) for name in names
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
    args = parse_args()
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
        rows[name]['memory'] = memory_in_a_process_of_its_own(name)
    show(rows, tuple(x.shape), args)


def show(rows: Dict[str, Dict], shape: Tuple, args: argparse.Namespace) -> None:
    """Print the table, with ratios to the first row."""
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
            f'| {row["forward"]:.3f} s '
            f'| {first["forward"] / row["forward"]:.2f} x '
            f'| {row["step"]:.3f} s | {first["step"] / row["step"]:.2f} x '
            f'| {args.batch / row["step"]:.2f} '
            f'| {row["memory"]:.0f} MiB '
            f'| {row["memory"] / first["memory"]:.2f} x |'
        )


if __name__ == '__main__':
    run(main)
