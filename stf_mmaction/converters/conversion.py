"""Read many clip files into one ``PoseDataset`` pickle."""

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
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    TextIO,
    Tuple,
    Union,
)

import numpy as np
from mmengine.utils import ProgressBar

from stf_mmaction.datasets.numbers import anyone_seen
from stf_mmaction.files import replacing, safe_load

from .clips import NOBODY, UNSEEN, Clip, Skipped, Unusable, printable


def convert(
    clips: List[Clip],
    read: Callable[[Clip], Dict[str, np.ndarray]],
    out: Path,
    workers: int,
    skipped: Skipped,
    clip_dir: Optional[Path] = None,
    classes: Optional[Sequence[str]] = None,
) -> None:
    """Read clips, leave out those that cannot be used, write one pickle.

    Each clip is saved in ``<out>.parts`` as soon as it has been read, so that an interrupted
    run resumes when it is started again, and writes the same bytes as an uninterrupted one.
    The folder is deleted at the end.

    Args:
        clips (list[Clip]): In the order of the pickle.
        read (callable): Returns ``keypoint`` (M, T, V, C) of a clip and, if
            present, ``keypoint_score`` (M, T, V), and ``left_out`` if it has
            more persons. It is called in other processes; its error is the
            reason to skip a clip.
        out (Path): The pickle to write.
        workers (int): Number of processes.
        skipped (list[tuple[str, str]]): Names of clips that are already left
            out, with the reason. The summary counts the part of a reason
            before a colon.
        clip_dir (Path, optional): Folder for a file with the keypoints of
            each clip, which are then not in ``out``. Defaults to None.
        classes (Sequence[str], optional): Names of the classes; they go to
            the pickle, and to ``<out>.classes.txt``. Defaults to None.

    Raises:
        SystemExit: If no clip can be used, or another process converts to
            ``out``.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    parts = out.with_name(f'{out.name}.parts')
    with out.with_name(f'{out.name}.skipped.txt').open(
        'a', encoding='utf-8', errors='backslashreplace'
    ) as log:
        _lock(log, out)
        parts.mkdir(exist_ok=True)
        clips, twice = _unique(clips)
        usable, unusable = _read_all(clips, read, parts, workers)
        kept, unlike = _most_alike(usable, clip_dir)
        report = _write_log(skipped + twice + unusable + unlike, log)
        if not kept:
            shutil.rmtree(parts)
            raise SystemExit(f'error: no clip could be used, {log.name} says why:{report}')
        summary = _write(kept, out, classes)
        shutil.rmtree(parts)
        print(f'{out}: {summary}{report}')


def _read_all(
    clips: List[Clip], read: Callable, parts: Path, workers: int
) -> Tuple[List[Tuple[Clip, Path]], Skipped]:
    """Save each clip in its part; return the clips that can be used, and the others."""
    usable, unusable = [], []
    step = functools.partial(_read_once, read=read, parts=parts)
    progress = ProgressBar(len(clips))
    with closing(_each(step, clips, workers)) as results:
        for clip, result in zip(clips, results):
            progress.update()
            if isinstance(result, Path):
                usable.append((clip, result))
            else:
                unusable.append((clip.frame_dir, result))
    print()
    return usable, unusable


def _most_alike(
    usable: List[Tuple[Clip, Path]], clip_dir: Optional[Path]
) -> Tuple[List[Tuple[Clip, Dict]], Skipped]:
    """Return the clips of the most common kind with their annotations, and the others."""
    by_kind: Dict[str, List[Tuple[Clip, Dict]]] = {}
    for clip, part in usable:
        arrays = safe_load(part)
        by_kind.setdefault(_kind(arrays), []).append((clip, _annotation(clip, arrays, clip_dir)))
    most = max(by_kind, key=lambda kind: len(by_kind[kind]), default='')
    kept = by_kind.pop(most, [])
    unlike = [
        (clip.frame_dir, f'it differs from most clips: {kind}, most have {most}')
        for kind, others in by_kind.items()
        for clip, _ in others
    ]
    return kept, unlike


def _write_log(skipped: Skipped, log: TextIO) -> str:
    """List the clips that were left out; return how many for each reason."""
    log.truncate(0)  # Remove the list of an earlier conversion.
    log.writelines(f'{printable(name)}\t{why}\n' for name, why in skipped)
    counts = Counter(why.partition(':')[0] for _, why in skipped)
    return ''.join(f'\n  {n} skipped: {why}' for why, n in counts.items())


def _write(kept: List[Tuple[Clip, Dict]], out: Path, classes: Optional[Sequence[str]]) -> str:
    """Write the pickle, and the names of the classes beside it; return a summary."""
    split: Dict[str, List[str]] = {}
    for clip, _ in kept:
        for name in clip.splits:
            split.setdefault(name, []).append(clip.frame_dir)
    crowded = [clip.frame_dir for clip, annotation in kept if annotation.pop('left_out', 0)]
    data: Dict[str, Any] = dict(split=split, annotations=[annotation for _, annotation in kept])
    if classes is not None:
        data['classes'] = list(classes)
        names = out.with_name(f'{out.name}.classes.txt')
        names.write_text(''.join(f'{printable(name)}\n' for name in classes), encoding='utf-8')
    _dump(data, out)
    sizes = ', '.join(f'{name} {len(ids)}' for name, ids in split.items())
    summary = f'{len(kept)} clips ({sizes})' + (f', {len(classes)} class names' if classes else '')
    if crowded:
        names = printable(', '.join(crowded[:3])) + ', ...' * (len(crowded) > 3)
        summary += (
            f'\n  {len(crowded)} have more persons than --persons, the others are left out: {names}'
        )
    missing = _never_seen(annotation for _, annotation in kept)
    if missing:
        names = ', '.join(map(str, missing[:8])) + ', ...' * (len(missing) > 8)
        summary += f'\n  joints that are missing in all clips: {names}'
    return summary


def _never_seen(annotations: Iterable[Dict]) -> List[int]:
    """Return the joints that are zero in all clips whose arrays are in the pickle."""
    missing: List[int] = []
    for number, annotation in enumerate(a for a in annotations if 'keypoint' in a):
        seen = (annotation['keypoint'] != 0).any((0, 1, 3))
        missing = [v for v in (missing if number else range(len(seen))) if not seen[v]]
        if not missing:
            break
    return missing


def _lock(log: TextIO, out: Path) -> None:
    """Lock ``out`` for other processes until this one closes or ends."""
    try:
        # Unlike a lock by flock, workers do not hold it when this process is killed.
        fcntl.lockf(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise SystemExit(
            f'error: another process is converting to {out}: wait for it, or name another file'
        ) from None
    except OSError:
        pass  # The file system has no locks.


def _unique(clips: List[Clip]) -> Tuple[List[Clip], Skipped]:
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
    """Yield the results of a step for each clip, in order, from several processes."""
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
    """Save a clip in its part; return that, or why it cannot be used."""
    try:
        part = _part(clip, read, parts)
        if part.exists():
            return part
        arrays = read(clip)
    except OSError as error:
        return f'it cannot be read: {error}'
    except Unusable as error:
        return str(error)
    except ValueError as error:
        return f'malformed: {_line(error)}'
    except Exception as error:  # A damaged file can raise any error.
        return f'malformed: {type(error).__name__} {_line(error)}'
    if not arrays['keypoint'].any():
        return NOBODY
    if not anyone_seen(arrays):
        return UNSEEN
    _dump(arrays, part)
    return part


def _part(clip: Clip, read: Callable, parts: Path) -> Path:
    """Return the name of a part, which changes with its file, its label and the arguments."""
    status = os.stat(clip.source)
    key = (
        f'{clip} {clip.source.resolve()} {status.st_size} '
        f"{status.st_mtime_ns} {getattr(read, 'keywords', {})}"
    )
    return parts / f'{hashlib.sha1(key.encode()).hexdigest()}.pkl'


def _line(error: Exception) -> str:
    return ' '.join(str(error).split())


def _kind(arrays: Dict[str, np.ndarray]) -> str:
    """Return a description of what all clips of a pickle must have in common."""
    joints, channels = arrays['keypoint'].shape[2:]
    scores = 'with' if 'keypoint_score' in arrays else 'without'
    return f'{joints} joints, {channels} channels, {scores} scores'


def _annotation(clip: Clip, arrays: Dict[str, np.ndarray], clip_dir: Optional[Path]) -> Dict:
    """Return the annotation of a clip, with its arrays or with the file that holds them."""
    annotation = dict(
        frame_dir=clip.frame_dir, label=clip.label, total_frames=arrays['keypoint'].shape[1]
    )
    if clip_dir is None:
        return dict(annotation, **arrays)
    clip_dir.mkdir(parents=True, exist_ok=True)
    _dump(arrays, clip_dir / f'{clip.frame_dir}.pkl')
    return annotation


def _dump(value: Any, path: Path) -> None:
    """Write a pickle atomically."""
    with replacing(path) as partial, partial.open('wb') as file:
        pickle.dump(value, file, protocol=4)
