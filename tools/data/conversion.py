"""What the converters share: many clip files to one ``PoseDataset`` pickle."""

import argparse
import fcntl
import functools
import hashlib
import os
import pickle
import shutil
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    TextIO,
    Tuple,
    Union,
)

import numpy as np
from mmengine.utils import ProgressBar

from stf_mmaction.datasets.numbers import anyone_seen
from stf_mmaction.engine.cli import positive
from stf_mmaction.files import check_regular, replacing, safe_load

NOBODY = 'nobody is in it'
UNSEEN = 'all its scores are 0: no joint counts as seen'
# Frames for each one that is listed, and those that a short clip may have.
MAX_SPAN, FREE_SPAN = 10, 1000

Skipped = List[Tuple[str, str]]


class Clip(NamedTuple):
    """A clip to convert.

    Attributes:
        frame_dir (str): Its id in the pickle.
        label (int): Its class.
        splits (tuple[str]): The splits that it belongs to.
        source (Path): The file that it is read from.
        place (int): Its place among the clips of that file. Defaults to 0.
    """

    frame_dir: str
    label: int
    splits: Tuple[str, ...]
    source: Path
    place: int = 0


def add_conversion_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every converter takes."""
    parser.add_argument('out', type=_pickle_path, help='the pickle to write')
    parser.add_argument(
        '--workers',
        type=positive,
        default=os.cpu_count(),
        help='processes that read files; defaults to one for each CPU',
    )


def existing_folder(path: str) -> Path:
    """Check that a folder exists, as an argparse type."""
    if not Path(path).is_dir():
        raise argparse.ArgumentTypeError(f'folder {path} does not exist')
    return Path(path)


def below_folders(path: str) -> Path:
    """Check that a folder exists or can be made, as an argparse type."""
    for folder in (Path(path), *Path(path).parents):
        if folder.is_file():
            raise argparse.ArgumentTypeError(f'{folder} is a file: it cannot be a folder')
    return Path(path)


def find_files(source: Path, fits: Callable[[str], bool]) -> Tuple[List[Path], Skipped]:
    """Find files in a folder and in those below it.

    Args:
        source (Path): The folder. Links to folders are not followed.
        fits (callable): Whether the name of a file is one to read.

    Returns:
        tuple: The files in order; the names of those that cannot be read,
        with the reason.
    """
    found: List[Path] = []
    skipped: Skipped = []

    def unreadable(error: OSError) -> None:
        skipped.append((printable(error.filename), f'it cannot be read: {error.strerror}'))

    for folder, _, names in os.walk(source, onerror=unreadable):
        for name in filter(fits, names):
            path = Path(folder, name)
            why = _unreadable(path)
            if why is None:
                found.append(path)
            else:
                skipped.append((printable(path.relative_to(source).as_posix()), why))
    return sorted(found), sorted(skipped)


def _unreadable(path: Path) -> Optional[str]:
    try:
        check_regular(path)
        str(path).encode()
    except UnicodeEncodeError:
        return 'its name is not in UTF-8: rename it'
    except FileNotFoundError:
        return 'it is a link to a file that does not exist'
    except OSError as error:
        return f'it cannot be read: {error.strerror}'
    except ValueError:
        return 'it is not a file, but a pipe or a device'
    return None


def printable(name: str) -> str:
    """Return a name on one line, in UTF-8."""
    name = ''.join(c if c.isprintable() else c.encode('unicode-escape').decode() for c in name)
    return name.encode('utf-8', 'backslashreplace').decode()


def check_frames(first: int, last: int, listed: int) -> None:
    """Refuse numbers of frames that were not counted one by one.

    The frames between those that are listed are empty: time stamps would
    fill the memory with them.

    Args:
        first (int): The smallest number.
        last (int): The largest number.
        listed (int): How many different ones there are.

    Raises:
        ValueError: If most frames would be empty.
    """
    if last - first >= MAX_SPAN * listed + FREE_SPAN:
        raise ValueError(
            f'its frames go from {first} to {last}, but it lists only {listed}: '
            'number them one by one, not by time'
        )


def convert(
    clips: List[Clip],
    read: Callable[[Clip], Dict[str, np.ndarray]],
    out: Path,
    workers: int,
    skipped: List[Tuple[str, str]],
    clip_dir: Optional[Path] = None,
    classes: Optional[Sequence[str]] = None,
) -> None:
    """Read clips, leave out those that cannot be used, write one pickle.

    Each clip is kept in ``<out>.parts`` as soon as it was read. A run that
    was stopped resumes when it is started again, and writes the
    same bytes as one that was not. The folder is deleted at the end.

    Args:
        clips (list[Clip]): In the order of the pickle.
        read (callable): Gives ``keypoint`` (M, T, V, C) and, if there are
            any, ``keypoint_score`` (M, T, V) of a clip. It is called in
            other processes; what it raises says why the clip is skipped.
        out (Path): The pickle to write.
        workers (int): Number of processes.
        skipped (list[tuple[str, str]]): Names of clips that were left out
            before, with the reason. What comes before a colon in a reason
            is what the summary counts.
        clip_dir (Path, optional): Folder for a file with the keypoints of
            each clip, which are then not in ``out``. Defaults to None.
        classes (Sequence[str], optional): Names of the classes; they go to
            the pickle, and to ``<out>.classes.txt``. Defaults to None.

    Raises:
        SystemExit: If there are no clips, or none of use, or another
            process converts to ``out``.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_name(f'{out.name}.skipped.txt').open(
        'a', encoding='utf-8', errors='backslashreplace'
    ) as log:
        _lock(log, out)
        _convert(clips, read, out, workers, skipped, clip_dir, classes, log)


def _convert(
    clips: List[Clip],
    read: Callable,
    out: Path,
    workers: int,
    skipped: List[Tuple[str, str]],
    clip_dir: Optional[Path],
    classes: Optional[Sequence[str]],
    log: TextIO,
) -> None:
    clips, twice = _unique(clips)
    skipped = skipped + twice
    parts = out.with_name(f'{out.name}.parts')
    parts.mkdir(exist_ok=True)
    usable = []
    step = functools.partial(_read_once, read=read, parts=parts)
    progress = ProgressBar(len(clips))
    with closing(_each(step, clips, workers)) as results:
        for clip, result in zip(clips, results):
            progress.update()
            if isinstance(result, Path):
                usable.append((clip, result))
            else:
                skipped.append((clip.frame_dir, result))
    print()
    by_kind: Dict[str, List[Tuple[Clip, Dict]]] = {}
    for clip, part in usable:
        arrays = safe_load(part)
        by_kind.setdefault(_kind(arrays), []).append((clip, _annotation(clip, arrays, clip_dir)))
    most = max(by_kind, key=lambda kind: len(by_kind[kind]), default='')
    kept = by_kind.pop(most, [])
    skipped += [
        (clip.frame_dir, f'of another kind: {kind}, most have {most}')
        for kind, others in by_kind.items()
        for clip, _ in others
    ]
    log.truncate(0)  # Of an earlier conversion.
    log.writelines(f'{printable(name)}\t{why}\n' for name, why in skipped)
    counts = Counter(why.partition(':')[0] for _, why in skipped)
    report = ''.join(f'\n  {n} skipped: {why}' for why, n in counts.items())
    if not kept:
        shutil.rmtree(parts)
        raise SystemExit(f'error: no clip could be used, {log.name} says why:{report}')
    split: Dict[str, List[str]] = {}
    for clip, _ in kept:
        for name in clip.splits:
            split.setdefault(name, []).append(clip.frame_dir)
    annotations = [annotation for _, annotation in kept]
    data = dict(split=split, annotations=annotations)
    if classes is not None:
        data['classes'] = list(classes)
        names = out.with_name(f'{out.name}.classes.txt')
        names.write_text(''.join(f'{name}\n' for name in classes), encoding='utf-8')
    _dump(data, out)
    shutil.rmtree(parts)
    sizes = ', '.join(f'{name} {len(ids)}' for name, ids in split.items())
    named = f', {len(classes)} class names' if classes else ''
    print(f'{out}: {len(annotations)} clips ({sizes}){named}{report}')


def _pickle_path(path: str) -> Path:
    if not path.endswith('.pkl'):
        raise argparse.ArgumentTypeError(f'{path} must end in .pkl')
    if Path(path).is_dir():
        raise argparse.ArgumentTypeError(f'{path} is a folder: name a file')
    below_folders(Path(path).parent)
    return Path(path)


def _lock(log: TextIO, out: Path) -> None:
    """Keep other processes from ``out`` until this one closes or ends."""
    try:
        # Unlike flock's it is not left to workers when this process is killed.
        fcntl.lockf(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise SystemExit(
            f'error: another process is converting to {out}: wait for it, or name another file'
        ) from None
    except OSError:
        pass  # A file system that has no locks.


def _unique(clips: List[Clip]) -> Tuple[List[Clip], List[Tuple[str, str]]]:
    first: Dict[str, Clip] = {}
    twice = []
    for clip in clips:
        other = first.setdefault(clip.frame_dir, clip)
        if other is not clip:
            twice.append(
                (clip.frame_dir, f'its name is taken: {clip.source}, after {other.source}')
            )
    return list(first.values()), twice


def _each(step: Callable, clips: List[Clip], workers: int) -> Iterator:
    """Map in several processes; in order."""
    if workers == 1:
        yield from map(step, clips)
        return
    pool = ProcessPoolExecutor(workers)
    try:
        yield from pool.map(step, clips, chunksize=8)
    except BrokenProcessPool:
        raise SystemExit(
            '\nerror: a process was killed, perhaps for lack of memory: '
            'start again with fewer --workers; it resumes from here'
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _read_once(clip: Clip, read: Callable, parts: Path) -> Union[Path, str]:
    """Read a clip into its part; return that, or why it is of no use."""
    try:
        part = _part(clip, read, parts)
        if part.exists():
            return part
        arrays = read(clip)
    except OSError as error:
        return f'it cannot be read: {error}'
    except ValueError as error:
        return f'malformed: {_line(error)}'
    except Exception as error:  # A damaged file raises anything at all.
        return f'malformed: {type(error).__name__} {_line(error)}'
    if not arrays['keypoint'].any():
        return NOBODY
    if not anyone_seen(arrays):
        return UNSEEN
    _dump(arrays, part)
    return part


def _part(clip: Clip, read: Callable, parts: Path) -> Path:
    """Return the name of a part, another one when its file, label or an argument has changed."""
    status = os.stat(clip.source)
    key = (
        f'{clip} {clip.source.resolve()} {status.st_size} '
        f"{status.st_mtime_ns} {getattr(read, 'keywords', {})}"
    )
    return parts / f'{hashlib.sha1(key.encode()).hexdigest()}.pkl'


def _line(error: Exception) -> str:
    return ' '.join(str(error).split())


def _kind(arrays: Dict[str, np.ndarray]) -> str:
    """Return what all clips of a pickle have in common."""
    joints, channels = arrays['keypoint'].shape[2:]
    scores = 'with' if 'keypoint_score' in arrays else 'without'
    return f'{joints} joints, {channels} channels, {scores} scores'


def _annotation(clip: Clip, arrays: Dict[str, np.ndarray], clip_dir: Optional[Path]) -> Dict:
    """Return what the pickle says of a clip; its arrays go there or to a file."""
    annotation = dict(
        frame_dir=clip.frame_dir, label=clip.label, total_frames=arrays['keypoint'].shape[1]
    )
    if clip_dir is None:
        return dict(annotation, **arrays)
    clip_dir.mkdir(parents=True, exist_ok=True)
    _dump(arrays, clip_dir / f'{clip.frame_dir}.pkl')
    return annotation


def _dump(value: Any, path: Path) -> None:
    """Write a pickle that is whole or not there."""
    with replacing(path) as partial, partial.open('wb') as file:
        pickle.dump(value, file, protocol=4)
