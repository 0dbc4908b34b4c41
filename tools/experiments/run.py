"""Run what a table of experiments still lacks, one JSON line per result."""

import argparse
import datetime
import fcntl
import json
import multiprocessing
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Union

HERE = Path(__file__).resolve().parent
# Runs share a machine best with one thread each.
os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np  # noqa: E402
from table import ROOT, TABLES, Mean, Run, Table  # noqa: E402

from stf_mmaction.engine.cli import positive, run  # noqa: E402


class Results:
    """The lines of a table, in a file that survives a kill at any time.

    Args:
        path (pathlib.Path): JSON lines; made if it does not exist.
        writing (bool): Whether this process is the one that adds lines.

    Raises:
        ValueError: If another process is adding lines.
    """

    def __init__(self, path: Path, writing: bool = False) -> None:
        self.path = path
        if writing:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = open(path.with_suffix('.lock'), 'w')
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(f'{path} is being written by another run: wait for it') from None

    def lines(self) -> Iterator[Dict[str, Any]]:
        """Yield what is there; a line that was cut by a kill is left out."""
        if not self.path.is_file():
            return
        for text in self.path.read_text().splitlines():
            try:
                yield json.loads(text)
            except ValueError:
                continue

    def add(self, line: Dict[str, Any]) -> None:
        """Append a line; it is on disk when this returns."""
        # Opened anew each time: Git may have put another file there.
        with open(self.path, 'ab+') as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            cut = file.read(1) not in (b'', b'\n')
            file.write(f'{os.linesep * cut}{json.dumps(line)}\n'.encode())
            file.flush()
            os.fsync(file.fileno())


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('table', help=f'a name from {TABLES.relative_to(ROOT)}, or a YAML file')
    parser.add_argument('--data-root', type=Path, help='folder of the pickles')
    parser.add_argument('--jobs', type=positive, default=1, help='runs at the same time')
    parser.add_argument('--results', type=Path, default=HERE / 'results')
    parser.add_argument(
        '--scores',
        type=Path,
        default=ROOT / 'work_dirs/experiments',
        help='folder of the probabilities, which rows with mean_of read',
    )
    parser.add_argument('--rows', nargs='+', help='only these rows')
    parser.add_argument('--list', action='store_true', help='print what is missing, run nothing')
    return parser.parse_args()


def table_path(name: str) -> Path:
    """Return the file of a table.

    Raises:
        ValueError: If there is none.
    """
    for path in (Path(name), TABLES / f'{name}.yml'):
        if path.is_file():
            return path
    known = sorted(p.stem for p in TABLES.glob('*.yml'))
    raise ValueError(f'table {name!r} is unknown: use a YAML file, or one of {known}')


def train_one(job: Run, scores: Path) -> Dict[str, Any]:
    """Return the line of a run; in a process of its own."""
    import mmengine
    import torch

    import stf_mmaction  # noqa: F401

    sys.path.insert(0, str(HERE))
    import variants  # noqa: F401
    from mmengine.registry import init_default_scope
    from trial import train_and_test

    init_default_scope('mmaction')
    line = train_and_test(job.resolved(), scores)
    versions = dict(torch=torch.__version__, mmengine=mmengine.__version__)
    return dict(_identity(job), **line, versions=versions)


def average(job: Mean, scores: Path) -> Dict[str, Any]:
    """Return the line of a mean, from the probabilities of its members."""
    from trial import summary

    files = [np.load(scores / f'{member.key}.npz') for member in job.members]
    names = set.intersection(*(set(file.files) for file in files)) - {'labels'}
    mean = {name: np.mean([file[name] for file in files], 0) for name in sorted(names)}
    line = summary(mean, files[0]['labels'])
    return dict(_identity(job), **line, members=[member.key for member in job.members])


def _identity(job: Union[Run, Mean]) -> Dict[str, Any]:
    return dict(key=job.key, row=job.row, set=job.dataset, split=job.split, seed=job.seed)


def missing(table: Table, done: Set[str], scores: Path, rows: Optional[List[str]]) -> List:
    """Return the runs and means that have no line, members first.

    A member whose line is there, but whose probabilities are not, is run again.
    """
    jobs: Dict[str, Union[Run, Mean]] = {}
    for cell in table.cells():
        if cell.key in done or (rows and cell.row not in rows):
            continue
        if isinstance(cell, Mean):
            for member in cell.members:
                if not (scores / f'{member.key}.npz').is_file():
                    jobs.setdefault(member.key, member)
        jobs.setdefault(cell.key, cell)
    return list(jobs.values())


def _source() -> Dict[str, str]:
    """Describe which code ran, where and when."""
    git = ['git', '-C', str(ROOT), 'rev-parse', '--short', 'HEAD']
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip()
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds')
    return dict(commit=commit, machine=platform.processor() or platform.machine(), time=now)


def execute(jobs: List, args: argparse.Namespace, results: Results) -> None:
    """Run jobs, several at once; write each line as soon as it is known."""
    waiting = [job for job in jobs if isinstance(job, Mean)]
    runs = [job for job in jobs if isinstance(job, Run)]
    known = {line['key'] for line in results.lines()}
    context = multiprocessing.get_context('spawn')

    def write(line: Dict[str, Any], left: int) -> None:
        results.add({**line, **_source()})
        top1 = line['top1']['clean']
        print(
            f'{left} left; {line["set"]} {line["split"]} {line["row"]} seed {line["seed"]}: '
            f'{top1:.2f} % in {line.get("cpu_seconds", 0):.0f} s',
            flush=True,
        )

    def flush_means() -> None:
        for mean in list(waiting):
            if all((args.scores / f'{m.key}.npz').is_file() for m in mean.members):
                waiting.remove(mean)
                write(average(mean, args.scores), len(waiting))

    flush_means()
    with context.Pool(min(args.jobs, max(len(runs), 1)), maxtasksperchild=8) as pool:
        tasks = [(job, args.scores / f'{job.key}.npz') for job in runs]
        for count, line in enumerate(pool.imap_unordered(_train_task, tasks), 1):
            if line['key'] not in known:
                write(line, len(runs) - count)
            flush_means()


def _train_task(task: tuple) -> Dict[str, Any]:
    return train_one(*task)


def main() -> None:
    args = parse_args()
    table = Table(table_path(args.table), args.data_root and args.data_root.resolve())
    unknown = set(args.rows or ()) - set(table.rows)
    if unknown:
        raise ValueError(f'--rows {sorted(unknown)} are none of {list(table.rows)}')
    results = Results(args.results / f'{table.name}.jsonl', writing=not args.list)
    jobs = missing(table, {line['key'] for line in results.lines()}, args.scores, args.rows)
    print(f'{table.name}: {len(jobs)} results are missing', flush=True)
    if args.list:
        for job in jobs:
            print(f'{job.dataset} {job.split} {job.row} seed {job.seed}')
        return
    execute(jobs, args, results)


if __name__ == '__main__':
    run(main)
