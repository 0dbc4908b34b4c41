"""Run what is missing from a table of experiments, and write one JSON line per result."""

import argparse
import os
from pathlib import Path

# Parallel runs are fastest with one thread each. NumPy reads this when it is imported.
os.environ.setdefault('OMP_NUM_THREADS', '1')

from stf_mmaction.engine.arguments import positive  # noqa: E402
from stf_mmaction.engine.cli import run  # noqa: E402
from stf_mmaction.experiments.results import RESULTS, Results  # noqa: E402
from stf_mmaction.experiments.running import execute, missing  # noqa: E402
from stf_mmaction.experiments.table import TABLES, Table, table_path  # noqa: E402
from stf_mmaction.locations import ROOT  # noqa: E402


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('table', help=f'a name from {TABLES}, or a YAML file')
    parser.add_argument('--data-root', type=Path, help='folder of the pickles')
    parser.add_argument('--jobs', type=positive, default=1, help='number of parallel runs')
    parser.add_argument('--results', type=Path, default=RESULTS, help='folder of the result lines')
    parser.add_argument(
        '--scores',
        type=Path,
        default=ROOT / 'work_dirs/experiments',
        help='folder of the probabilities that rows with mean_of average',
    )
    parser.add_argument('--rows', nargs='+', help='run only these rows')
    parser.add_argument('--list', action='store_true', help='print what is missing, run nothing')
    return parser.parse_args()


def main() -> None:
    """Run the missing results, or list them."""
    args = parse_args()
    table = Table(table_path(args.table), args.data_root and args.data_root.resolve())
    unknown = set(args.rows or ()) - set(table.rows)
    if unknown:
        raise ValueError(
            f'--rows {sorted(unknown)} are not rows of the table: use some of {list(table.rows)}'
        )
    results = Results(args.results / f'{table.name}.jsonl', writing=not args.list)
    jobs = missing(table, {line['key'] for line in results.lines()}, args.scores, args.rows)
    print(f'{table.name}: {len(jobs)} results are missing', flush=True)
    if args.list:
        for job in jobs:
            print(f'{job.dataset} {job.split} {job.row} seed {job.seed}')
        return
    execute(jobs, args.scores, results, args.jobs)


if __name__ == '__main__':
    run(main)
