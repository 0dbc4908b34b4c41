"""Run what is missing from a table of experiments."""

import datetime
import multiprocessing
import platform
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Union

import mmengine
import numpy as np
import torch
from mmengine.registry import init_default_scope

from stf_mmaction.files import read_arrays
from stf_mmaction.locations import ROOT

from . import variants  # noqa: F401  (registers them)
from .results import Results
from .table import Mean, Run, Table
from .trial import summary, train_and_test


def train_one(job: Run, scores: Path) -> Dict[str, Any]:
    """Train and test a run.

    Args:
        job (Run): The run.
        scores (pathlib.Path): NPZ file to write the probabilities to.

    Returns:
        dict: Its result line.
    """
    init_default_scope('mmaction')
    line = train_and_test(job.resolved(), scores)
    versions = dict(torch=torch.__version__, mmengine=mmengine.__version__)
    return dict(_identity(job), **line, versions=versions)


def average(job: Mean, scores: Path) -> Dict[str, Any]:
    """Average the probabilities of the members of a mean.

    Args:
        job (Mean): The mean.
        scores (pathlib.Path): Folder of the probabilities.

    Returns:
        dict: Its result line.
    """
    paths = [scores / f'{member.key}.npz' for member in job.members]
    files = [read_arrays(path, ['labels'], 'tools/experiments/run.py') for path in paths]
    names = set.intersection(*map(set, files)) - {'labels'}
    mean = {name: np.mean([file[name] for file in files], 0) for name in sorted(names)}
    line = summary(mean, files[0]['labels'])
    return dict(_identity(job), **line, members=[member.key for member in job.members])


def _identity(job: Union[Run, Mean]) -> Dict[str, Any]:
    return dict(key=job.key, row=job.row, set=job.dataset, split=job.split, seed=job.seed)


def missing(table: Table, done: Set[str], scores: Path, rows: Optional[List[str]]) -> List:
    """Return the runs and means without a result line, members before their means.

    A member of a missing mean is run again if its probabilities do not exist.

    Args:
        table (Table): The table.
        done (set[str]): Keys of the result lines.
        scores (pathlib.Path): Folder of the probabilities.
        rows (list[str], optional): Rows to consider; None for all.
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
    """Return the commit, the machine and the time of a run."""
    git = ['git', '-C', str(ROOT), 'rev-parse', '--short', 'HEAD']
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip()
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds')
    return dict(commit=commit, machine=platform.processor() or platform.machine(), time=now)


def execute(jobs: List, scores: Path, results: Results, processes: int) -> None:
    """Run jobs in parallel, and write each result line as soon as it is known.

    Args:
        jobs (list): From :func:`missing`.
        scores (pathlib.Path): Folder of the probabilities.
        results (Results): The lines, to which new ones are added.
        processes (int): Number of parallel runs.
    """
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
            if all((scores / f'{m.key}.npz').is_file() for m in mean.members):
                waiting.remove(mean)
                write(average(mean, scores), len(waiting))

    flush_means()
    with context.Pool(min(processes, max(len(runs), 1)), maxtasksperchild=8) as pool:
        tasks = [(job, scores / f'{job.key}.npz') for job in runs]
        for count, line in enumerate(pool.imap_unordered(_train_task, tasks), 1):
            if line['key'] not in known:
                write(line, len(runs) - count)
            flush_means()


def _train_task(task: tuple) -> Dict[str, Any]:
    return train_one(*task)
