"""Compare safe_load with pickle.load: seconds and memory for one large file."""

import argparse
import gc
import multiprocessing
import pickle
import resource
import tempfile
import time
from pathlib import Path
from typing import Callable, Tuple

import numpy as np

from stf_mmaction.engine.arguments import positive
from stf_mmaction.engine.cli import run
from stf_mmaction.files import safe_load


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--mib', type=positive, default=1024, help='size of the file in MiB')
    parser.add_argument(
        '--frames', type=positive, default=100, help='frames of two persons, 25 joints, per clip'
    )
    parser.add_argument('--repeats', type=positive, default=3, help='measurements of each reader')
    parser.add_argument('--dir', type=Path, help='folder for the file; defaults to a temporary one')
    return parser.parse_args()


def write(path: Path, mib: int, frames: int) -> int:
    """Write annotations as MMAction2 publishes them; return the number of clips."""
    shape = (2, frames, 25, 3)
    count = max(1, mib * 2**20 // (4 * int(np.prod(shape))))
    base = np.random.default_rng(0).random(shape, np.float32)
    clips = [
        dict(frame_dir=f'clip{i:07d}', label=i % 60, total_frames=frames, keypoint=base + i)
        for i in range(count)
    ]
    data = dict(split=dict(train=[clip['frame_dir'] for clip in clips]), annotations=clips)
    with path.open('wb') as file:
        pickle.dump(data, file, protocol=4)
    return count


def plain_load(path: Path):
    """Load a pickle as MMEngine does, which runs any code that the file names."""
    with path.open('rb') as file:
        return pickle.load(file)


def measure(load: Callable, path: Path) -> Tuple[float, float, float]:
    """Return the seconds, CPU seconds and peak memory in MiB of loading a file once."""
    with multiprocessing.get_context('fork').Pool(1) as pool:  # a new process has no earlier peak
        return pool.apply(_measure, (load, path))


def _measure(load: Callable, path: Path) -> Tuple[float, float, float]:
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    load(path)
    seconds, spent = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return seconds, spent, peak / 1024


def main() -> None:
    """Write a file, and time both readers on it."""
    args = parse_args()
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        path = Path(folder) / 'clips.pkl'
        # In another process, so that this one stays small.
        with multiprocessing.get_context('fork').Pool(1) as pool:
            count = pool.apply(write, (path, args.mib, args.frames))
        print(f'{path.stat().st_size / 2**20:.0f} MiB, {count} clips of {args.frames} frames')
        print(f'{"":12s} seconds  CPU seconds  peak MiB')
        for _ in range(args.repeats):
            for name, load in (('pickle.load', plain_load), ('safe_load', safe_load)):
                print('{:12s} {:7.2f}  {:11.2f}  {:8.0f}'.format(name, *measure(load, path)))


if __name__ == '__main__':
    run(main)
