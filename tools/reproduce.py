"""Train, test and fuse what a row of the paper's tables needs, and print it.

What is done is skipped, and what was interrupted resumes.
"""

import argparse
import signal
import sys
from pathlib import Path
from typing import Dict, List

import yaml
from fuse_scores import accuracies, check, fuse, read
from reproduce_job import ROOT, Job

from stf_mmaction.engine.cli import run

BENCHMARKS = (
    'ntu60_xsub',
    'ntu60_xview',
    'ntu120_xsub',
    'ntu120_xset',
    'k400',
    'utd_mhad',
    'nw_ucla',
    'demo',
    'tiny',
)
# Benchmarks that the other tables have configs for; the first is the default.
TABLES = dict(
    ablation=('ntu60_xsub', 'utd_mhad', 'tiny'),
    scarce=('ntu60_xsub', 'k400', 'utd_mhad', 'tiny'),
    shift=('ntu120_xsub', 'nw_ucla', 'tiny'),
    gcns=('utd_mhad',),
)
# Setting -> column -> configs, whose scores are averaged.
Table = Dict[str, Dict[str, List[str]]]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'row', help=f'a benchmark, {", ".join(BENCHMARKS)}, or a table, {", ".join(TABLES)}'
    )
    parser.add_argument(
        'gpus',
        type=int,
        help='0 for the CPU; they share the batch of the '
        'recipe, so that their number does not change it',
    )
    parser.add_argument('benchmark', nargs='?', help='of a table; by default the first')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        help='of train.py and test.py, for every config of the row',
    )
    parser.add_argument(
        '--data-root', type=Path, help='folder of the pickles, if they are not in data/skeleton'
    )
    parser.add_argument(
        '--work-dirs',
        type=Path,
        default=ROOT / 'work_dirs',
        help='where results go (default: %(default)s)',
    )
    parser.add_argument('--show', action='store_true', help='print what is there, run nothing')
    args = parser.parse_args()
    known = TABLES.get(args.row, BENCHMARKS)
    if args.row not in TABLES and args.row not in BENCHMARKS:
        parser.error(f'row {args.row!r} is unknown: use one of {(*BENCHMARKS, *TABLES)}')
    if args.row not in TABLES and args.benchmark:
        parser.error(f'{args.row} is a benchmark itself: leave {args.benchmark} out')
    args.benchmark = args.benchmark or known[0]
    if args.row in TABLES and args.benchmark not in known:
        parser.error(f'there is no {args.row} on {args.benchmark}: use one of {known}')
    if args.gpus < 0:
        parser.error(f'{args.gpus} GPUs are not possible: use 0 for the CPU')
    # The tools run in the repository, wherever this one was called.
    args.work_dirs = args.work_dirs.resolve()
    if args.data_root:
        args.data_root = args.data_root.resolve()
        if not args.data_root.is_dir():
            parser.error(f'--data-root {args.data_root} is not a folder')
    return args


def table_of(row: str, benchmark: str) -> Table:
    """Return the settings, columns and configs of a row.

    Args:
        row (str): A benchmark, or a key of ``TABLES``.
        benchmark (str): What the tables are made on.
    """
    if row in BENCHMARKS:
        return {
            setting: {
                'J': [f'{kind}_{row}_j'],
                'B': [f'{kind}_{row}_b'],
                'J+B': [f'{kind}_{row}_j', f'{kind}_{row}_b'],
            }
            for setting, kind in (('MS-G3D', 'msg3d'), ('STF', 'stf_msg3d'))
        }
    if row == 'ablation':
        base = f'{benchmark}_j'
        return {
            setting: {'J': configs}
            for setting, configs in (
                ('MS-G3D', [f'msg3d_{base}']),
                ('+ coherence', [f'stf_msg3d_{base}_c']),
                ('+ divergence', [f'stf_msg3d_{base}_cd']),
                ('+ adjacency', [f'stf_msg3d_{base}_focus']),
                (
                    '+ exploration (STF)',  # from the same baseline
                    [f'stf_msg3d_{base}_focus', f'stf_msg3d_{base}_explore'],
                ),
                ('control: two MS-G3D', [f'msg3d_{base}_x2']),
                ('control: two focus members', [f'stf_msg3d_{base}_focus_x2']),
            )
        }
    if row == 'gcns':
        return {
            f'{title}{end}': {'J': [f'{start}{name}_{benchmark}_j{length}']}
            for title, name, length in (
                ('ST-GCN', 'stgcn', ''),
                ('ST-GCN++', 'stgcnpp', ''),
                ('AAGCN', 'aagcn', ''),
                ('CTR-GCN', 'ctrgcn', ''),
                ('MS-G3D', 'msg3d', '_20e'),
            )
            for end, start in (('', ''), (' with STF', 'stf_'))
        }
    kinds = (('MS-G3D', 'msg3d'), ('STF', 'stf_msg3d'))
    if row == 'shift':
        return {setting: {'J': [f'{kind}_{benchmark}_j_shift']} for setting, kind in kinds}
    percents = (10, 20, 25) if benchmark == 'ntu60_xsub' else (25,)
    streams = 'jb' if benchmark == 'k400' else 'j'
    return {
        f'{setting}, {percent} %': {
            stream.upper(): [f'{kind}_{benchmark}_{stream}_{percent}pct'] for stream in streams
        }
        for percent in percents
        for setting, kind in kinds
    }


def show(table: Table, title: str, args: argparse.Namespace) -> None:
    """Print a table, the paper's numbers beside ours (top-1 in %)."""
    paper = yaml.safe_load((ROOT / 'tools/paper.yml').read_text())
    paper = paper.get(title, {})
    columns = list(next(iter(table.values())))
    print(f'\n{title}, top-1 in %, seed {args.seed}\n')
    print(
        '| setting | '
        + ' | '.join([f'{c} (paper)' for c in columns] + [f'{c} (ours)' for c in columns])
        + ' |'
    )
    print('|' + ' --- |' * (1 + 2 * len(columns)))
    for setting, cells in table.items():
        theirs = paper.get(setting, {})
        print(
            '| '
            + ' | '.join(
                [setting]
                + [f'{theirs[c]:.2f}' if c in theirs else '-' for c in columns]
                + [top1(cells[c], args) for c in columns]
            )
            + ' |'
        )


def top1(configs: List[str], args: argparse.Namespace) -> str:
    """Return the accuracy of the mean of the scores, or that there are none."""
    jobs = [Job(name, args) for name in configs]
    if not all(job.scores.is_file() for job in jobs):
        return 'not yet run'
    for job in jobs:
        job.check()
    dumps = [read(str(job.scores)) for job in jobs]
    for job, dump in zip(jobs[1:], dumps[1:]):
        check(dumps[0], dump, str(job.scores))
    return f'{accuracies(*fuse(dumps, [1] * len(dumps)))[0]:.2f}'


def main() -> None:
    args = parse_args()
    # Takes the tool that is running along, see Job.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    table = table_of(args.row, args.benchmark)
    # What is wrong in the last of them is said before the first is trained.
    jobs = [
        Job(name, args)
        for cells in table.values()
        for configs in cells.values()
        for name in configs
    ]
    if not args.show:
        for job in jobs:
            job.run()
    title = args.row
    if args.row in TABLES:
        title += f' {args.benchmark}'
    show(table, title, args)


if __name__ == '__main__':
    run(main)
