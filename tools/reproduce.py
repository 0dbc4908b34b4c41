"""Train, test and fuse the networks of a row of the paper's tables, and print the row.

Finished runs are skipped, interrupted ones resume.
"""

import argparse
import signal
import sys
from pathlib import Path
from typing import List

from stf_mmaction.engine.arguments import add_cfg_options
from stf_mmaction.engine.cli import run
from stf_mmaction.engine.dumps import check, read
from stf_mmaction.engine.fusion import accuracies, fuse
from stf_mmaction.experiments.job import Job
from stf_mmaction.experiments.paper import BENCHMARKS, TABLES, Table, paper_numbers, table_of
from stf_mmaction.locations import ROOT


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'row', help=f'a benchmark, {", ".join(BENCHMARKS)}, or a table, {", ".join(TABLES)}'
    )
    parser.add_argument(
        'gpus',
        type=int,
        help='number of GPUs, 0 for the CPU; the total batch size stays that of the recipe',
    )
    parser.add_argument('benchmark', nargs='?', help='benchmark of a table; defaults to its first')
    parser.add_argument('--seed', type=int, default=0, help='random seed')
    add_cfg_options(parser, parsed=False)  # for train.py and test.py
    parser.add_argument(
        '--data-root', type=Path, help='folder of the pickles, if they are not in data/skeleton'
    )
    parser.add_argument(
        '--work-dirs',
        type=Path,
        default=ROOT / 'work_dirs',
        help='folder of the results (default: %(default)s)',
    )
    parser.add_argument('--show', action='store_true', help='print the results so far, run nothing')
    args = parser.parse_args()
    args.cfg_options = args.cfg_options or []
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


def show(table: Table, title: str, args: argparse.Namespace) -> None:
    """Print a table: the paper's top-1 accuracy in %, and ours."""
    paper = paper_numbers().get(title, {})
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
    """Return the top-1 accuracy in % of the averaged scores, or ``not yet run``."""
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
    """Run the missing jobs, and print the table."""
    args = parse_args()
    # Also ends the tool that is running, see Job.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    table = table_of(args.row, args.benchmark)
    # Errors in any of them are reported before the first is trained.
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
