"""Summarise a set of clips and find what looks wrong."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from .annotations import clip_id
from .layouts import Layout

# Thresholds of the warnings.
MISSING_CLIP, MISSING_JOINT = 0.3, 0.5  # shares of a clip's or a joint's frames
FEW_CLIPS, IMBALANCE = 5, 20  # clips of a class; the largest to the smallest class
JUMP = 1.0  # body heights from frame to frame
UPSIDE_DOWN = 0.8  # share of clips


@dataclass
class SplitSummary:
    """Summary of a split.

    Attributes:
        labels (Counter): Number of clips of each class.
        persons (Counter): Number of clips by number of persons.
        lengths (list[int]): Number of frames of each clip.
        unseen (numpy.ndarray): For each joint, the share of the frames with
            its person in which it was not seen, (V,).
        suspects (dict[str, list[str]]): Ids of clips, by what looks wrong in
            them.
        hashes (dict[str, str]): Id of a clip, by a hash of its keypoints.
        ids (set[str]): Ids of all clips.
        upside_down (float): Share of clips whose head is below the hips.
    """

    labels: Counter = field(default_factory=Counter)
    persons: Counter = field(default_factory=Counter)
    lengths: List[int] = field(default_factory=list)
    unseen: np.ndarray = field(default_factory=lambda: np.zeros(0))
    suspects: Dict[str, List[str]] = field(default_factory=dict)
    hashes: Dict[str, str] = field(default_factory=dict)
    ids: set = field(default_factory=set)
    upside_down: float = 0.0


def summarize(clips: Iterable[Tuple[Dict, List[int]]], layout: Layout) -> SplitSummary:
    """Summarise the contents of clips.

    Args:
        clips (Iterable[tuple[dict, list[int]]]): Clips with ``keypoint`` and
            an id, and their classes, from :func:`clip_of`.
        layout (Layout): Their skeleton.

    Returns:
        SplitSummary: The summary of all clips.
    """
    out = SplitSummary()
    seen_frames, all_frames, turned = np.zeros(layout.num_node), 0, []
    for clip, labels in clips:
        name, keypoint = clip_id(clip), np.asarray(clip['keypoint'], np.float32)
        seen = keypoint.any(-1)
        if clip.get('keypoint_score') is not None:
            seen &= np.asarray(clip['keypoint_score']) > 0
        present = seen.any(2)
        out.ids.add(name)
        out.lengths.append(keypoint.shape[1])
        out.persons[int(present.any(1).sum())] += 1
        out.labels.update(labels)
        digest = hashlib.sha1(keypoint.tobytes()).hexdigest()
        if digest in out.hashes:
            out.suspects.setdefault(f'the same keypoints as {out.hashes[digest]}', []).append(name)
        out.hashes.setdefault(digest, name)
        seen_frames += seen[present].sum(0)
        all_frames += int(present.sum())
        for what in _suspicious(keypoint, seen, present):
            out.suspects.setdefault(what, []).append(name)
        turned += _upside_down(keypoint, seen, layout)
    out.unseen = 1 - seen_frames / max(all_frames, 1)
    out.upside_down = float(np.mean(turned)) if turned else 0.0
    return out


def _suspicious(keypoint: np.ndarray, seen: np.ndarray, present: np.ndarray) -> Iterator[str]:
    """Return what looks wrong with a clip (M, T, V, C)."""
    if not present.any():
        yield 'nobody in them'
        return
    if keypoint.shape[1] == 1:
        yield 'one frame only'
    if 1 - seen[present].mean() > MISSING_CLIP:
        yield f'more than {MISSING_CLIP:.0%} of the joints missing'
    both = seen[:, 1:] & seen[:, :-1]
    step = np.linalg.norm(np.diff(keypoint, axis=1), axis=-1)[both]
    if keypoint.shape[1] > 1 and not step.any():
        yield 'no movement'
    if step.size and step.max() > JUMP * _size(keypoint, seen):
        yield 'a joint that jumps by more than the size of the body from one frame to the next'


def _size(keypoint: np.ndarray, seen: np.ndarray) -> float:
    """Return the median extent of the poses with the most joints seen."""
    count = seen.sum(2)
    poses = np.argwhere(count == count.max())
    extents = [np.ptp(keypoint[m, t][seen[m, t]], axis=0).max() for m, t in poses]
    return max(float(np.median(extents)), 1e-9)


def _upside_down(keypoint: np.ndarray, seen: np.ndarray, layout: Layout) -> List[bool]:
    """Return whether a head is below the hips; nothing if that is not known."""
    names = layout.names or ()
    heads = [j for j, name in enumerate(names) if name in ('head', 'nose', 'neck')]
    hips = [j for j, name in enumerate(names) if name in ('l_hip', 'r_hip')]
    if not heads or not hips or not seen[:, :, heads].any() or not seen[:, :, hips].any():
        return []
    head, hip = (keypoint[:, :, part, 1][seen[:, :, part]].mean() for part in (heads, hips))
    return [bool(head > hip if keypoint.shape[-1] == 2 else head < hip)]


def warnings_of(
    splits: Dict[str, SplitSummary], layout: Layout, num_classes: Optional[int] = None
) -> List[str]:
    """Return a sentence for each thing that looks wrong, the most serious first.

    Args:
        splits (dict[str, SplitSummary]): By name; ``train`` is compared with
            the others.
        layout (Layout): Their skeleton.
        num_classes (int, optional): K of the network. Defaults to None.
    """
    found = []
    train = splits.get('train')
    for name, split in splits.items():
        if train is not None and split is not train:
            found += _compare(train, split, name)
    for name, split in splits.items():
        found += _classes(split, name, num_classes)
        for what, ids in split.suspects.items():
            found.append(f'{name}: {len(ids)} clips have {what}: {_some(ids)}')
        found += _joints(split, name, layout)
    return found


def _compare(train: SplitSummary, split: SplitSummary, name: str) -> List[str]:
    found = []
    shared = sorted(train.ids & split.ids)
    if shared:
        found.append(f'{len(shared)} clips are both in train and in {name}: {_some(shared)}')
    copies = sorted(
        split.hashes[key]
        for key in train.hashes.keys() & split.hashes
        if split.hashes[key] not in shared
    )
    if copies:
        found.append(
            f'{len(copies)} clips of {name} have the keypoints of a clip of train: {_some(copies)}'
        )
    new = sorted(set(split.labels) - set(train.labels))
    if new:
        found.append(f'{name} has classes that are not in train: {_some(new)}')
    return found


def _classes(split: SplitSummary, name: str, num_classes: Optional[int]) -> List[str]:
    found = []
    empty = sorted(set(range(num_classes or 0)) - set(split.labels))
    if empty:
        found.append(f'{name} has no clip of {len(empty)} of {num_classes} classes: {_some(empty)}')
    least, most = min(split.labels.values()), max(split.labels.values())
    few = sorted(label for label, count in split.labels.items() if count < FEW_CLIPS)
    if few and name == 'train':
        found.append(f'{name} has fewer than {FEW_CLIPS} clips of the classes {_some(few)}')
    elif most > IMBALANCE * least:
        found.append(
            f'{name} has from {least} to {most} clips per class: consider a balanced sampler'
        )
    return found


def _joints(split: SplitSummary, name: str, layout: Layout) -> List[str]:
    found = []
    names = layout.names or tuple(map(str, range(layout.num_node)))
    often = np.flatnonzero(split.unseen > MISSING_JOINT)
    if len(often):
        shares = [f'{names[j]} ({split.unseen[j]:.0%})' for j in often]
        found.append(f'{name}: joints that are mostly missing: {_some(shares)}')
    if split.upside_down > UPSIDE_DOWN:
        found.append(
            f'{name}: heads are below hips: is y vertical, up in 3D and down in 2D, and is '
            'this the layout of the data?'
        )
    return found


def _some(items: Sequence, most: int = 5) -> str:
    shown = ', '.join(map(str, items[:most]))
    return f'{shown}, ...' if len(items) > most else shown


def class_table(
    splits: Dict[str, SplitSummary], names: Optional[Sequence[str]] = None
) -> List[Tuple[str, ...]]:
    """Return the rows of a table: the class, and its number of clips in each split.

    Args:
        splits (dict[str, SplitSummary]): By name.
        names (Sequence[str], optional): Names of the classes. Defaults to None.
    """
    rows = [('class', *splits)]
    for label in sorted({label for split in splits.values() for label in split.labels}):
        title = names[label] if names and label < len(names) else f'class {label}'
        rows.append((title, *(str(split.labels[label]) for split in splits.values())))
    return rows
