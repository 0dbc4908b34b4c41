"""MMAction2's PoseDataset, checked before training starts."""

import logging
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Union

import numpy as np
from mmaction.datasets import PoseDataset
from mmaction.registry import DATASETS
from mmengine.logging import print_log

from stf_mmaction.files import safe_load

from .annotations import as_label, as_labels, choose_split, clip_id, read_annotations
from .class_names import as_class_names, read_class_names
from .clip_checks import (
    ARRAYS,
    FLIP,
    Check,
    has_bad_score,
    keypoint_checks,
    refuse,
    refuse_flip,
)
from .layouts import get_layout
from .numbers import anyone_seen, usable
from .persons import dropped_persons, select_persons
from .transforms import check_stream

# Clips that show nobody are left out if their share is at most this. If there are more, something
# is wrong with the file, and it is refused.
MAX_EMPTY = 0.05


@DATASETS.register_module()
class SkeletonDataset(PoseDataset):
    """Skeleton clips in MMAction2's ``PoseDataset`` format.

    The file is read without running code from it, and every clip is checked
    immediately, so that a bad one is found before training starts. A few clips
    that show nobody are left out, and named in the log.

    Args:
        ann_file (str): Pickle of ``dict(split=..., annotations=[...])``.
        pipeline (list[dict | callable]): Transforms.
        split (str, optional): Name of the split. Defaults to None, all.
        stream (str or Sequence[str], optional): What :class:`SkeletonStream`
            computes: ``'j'``, ``'b'``, ``'jm'``, ``'bm'``, or several of
            them side by side. Defaults to None, that of the transform, or
            joints.
        fraction (float): Share of the clips to use, chosen at random but
            always the same. Defaults to 1.
        metainfo (dict, optional): ``classes``, the names of all classes or a
            text file with one per line, in place of ``classes`` in the file.
            They are saved in checkpoints, for pictures and the inferencer.
            Defaults to None.
        kwargs: Arguments of ``PoseDataset``.

    Attributes:
        max_label (int): The largest label.
        min_label (int): The smallest label.
        clip_ids (frozenset[str]): Ids of the clips.
        num_joints (int): V, of the layout of :class:`PrepareSkeleton`, or else
            of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file, the split or a clip cannot be used.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: List[Union[Dict, Callable]],
        split: Optional[str] = None,
        stream: Union[str, Sequence[str], None] = None,
        fraction: float = 1.0,
        metainfo: Optional[Dict] = None,
        **kwargs,
    ) -> None:
        if not 0 < fraction <= 1:
            raise ValueError(
                f'fraction={fraction} is not a share of the clips: use a number above 0 and at '
                'most 1'
            )
        indices = kwargs.get('indices')
        if indices is not None and (indices == 0 or isinstance(indices, list) and not indices):
            raise ValueError(f'indices={indices} chooses no clip: leave it out, or name some')
        self.fraction = fraction
        steps = {_kind(step): step for step in pipeline if isinstance(step, dict)}
        self.stream = _agreed_stream(stream, steps.get('SkeletonStream', {}).get('stream'))
        layout = steps.get('PrepareSkeleton', {}).get('layout')
        self.num_joints = layout and get_layout(layout).num_node
        self._num_person = steps.get('FormatGCNInput', {}).get('num_person')
        self._selects = 'SelectPersons' in steps
        self._compressed = 'DecompressPose' in steps
        self._flips = 'Flip' in steps
        refuse_flip(list(steps))
        self._max_frames = steps.get('PadTo', {}).get('length', np.inf)
        super().__init__(ann_file, pipeline, split=split, metainfo=_read_names(metainfo), **kwargs)

    def load_data_list(self) -> List[Dict]:
        """Read the file and check its clips.

        Returns:
            list[dict]: The clips, each with its ``stream``.
        """
        path = Path(self.ann_file)
        data = read_annotations(path)
        self._name_classes(data)
        clips = self._some(choose_split(data, self.split, path))
        self._check_labels(clips)
        # MMAction2's flag for reading each clip from its own file, when it is needed.
        if 'skeleton' not in self.data_prefix:
            clips = self._without_empty(clips)
            self._check_keypoints(clips)
            self._tell_dropped(clips)
        self.clip_ids = frozenset(map(clip_id, clips))
        for clip in clips:
            clip['stream'] = self.stream
        return clips

    def _name_classes(self, data: Dict) -> None:
        """Take the names of the classes from the file, unless the config has them."""
        if 'classes' in self._metainfo:
            source, names = 'metainfo of the data set', self._metainfo['classes']
        elif data.get('classes') is not None:
            source, names = f"'classes' of {self.ann_file}", data['classes']
        else:
            return
        self._metainfo['classes'] = as_class_names(names, source)

    def _check_labels(self, clips: List[Dict]) -> None:
        """Convert labels to integers, or refuse them."""
        classes = self._metainfo.get('classes')
        convert = as_labels if self.multi_class else as_label
        labels = [convert(clip.get('label'), classes) for clip in clips]
        bad = {id(clip) for clip, label in zip(clips, labels) if label is None}
        what = "no 'label', or one that is not a whole number of at least 0"
        refuse(clips, self.ann_file, Check(what, 'correct it', lambda clip: id(clip) in bad))
        for clip, label in zip(clips, labels):
            clip['label'] = label
        self.max_label = max(int(np.max(label)) for label in labels)
        self.min_label = min(int(np.min(label)) for label in labels)
        if classes and self.max_label >= len(classes):
            clip = next(c for c in clips if np.max(c['label']) == self.max_label)
            raise ValueError(
                f'{self.ann_file}: clip {clip_id(clip)} has the label {self.max_label}, but '
                f"'classes' names {len(classes)}, 0 to {len(classes) - 1}: name every class"
            )

    def _some(self, clips: List[Dict]) -> List[Dict]:
        """Return the fraction of clips, which does not depend on their order."""
        if self.fraction == 1:
            return clips
        names = sorted(clip_id(clip) for clip in clips)
        count = max(1, round(self.fraction * len(names)))
        chosen = np.random.RandomState(0).permutation(len(names))[:count]
        wanted = {names[i] for i in chosen}
        return [clip for clip in clips if clip_id(clip) in wanted]

    def get_data_info(self, idx: int) -> Dict:
        """Get one clip."""
        # Not PoseDataset's method, which runs code in pickles.
        info = super(PoseDataset, self).get_data_info(idx)
        if 'skeleton' in self.data_prefix:
            folder = Path(self.data_prefix['skeleton'])
            path = _inside(folder, f'{clip_id(info)}.pkl')
            loaded = safe_load(path)
            if not isinstance(loaded, dict):
                raise ValueError(f'{path} holds a {type(loaded).__name__}, not a dict of a clip')
            # The label and the id in the annotation file have been checked.
            info.update({k: v for k, v in loaded.items() if k not in ('label', 'frame_dir')})
            self._check_loaded(info, path)
        return info

    def get_cat_ids(self, idx: int) -> List[int]:
        """Get the classes of a clip, for MMEngine's ``ClassBalancedDataset``."""
        label = super(PoseDataset, self).get_data_info(idx)['label']
        # PoseDataset converts several classes to a vector of zeros and ones.
        kinds = np.flatnonzero(label) if self.multi_class else [label]
        return [int(kind) for kind in kinds]

    def _check_loaded(self, clip: Dict, path: Path) -> None:
        """Check a clip that was read from its own file."""
        if not self._compressed:
            return self._check_keypoints([clip], path)
        for name in ('keypoint', 'keypoint_score'):
            value = clip.get(name)
            if value is not None and not usable(value):
                raise ValueError(
                    f'{path} has NaN or infinite (beyond 1e18) numbers in {name}: repair it'
                )
        return None

    def _without_empty(self, clips: List[Dict]) -> List[Dict]:
        """Leave out clips in which no joint is seen, if they are few, and name them."""
        empty = [
            clip
            for clip in clips
            if not ARRAYS.is_bad(clip) and not has_bad_score(clip) and not anyone_seen(clip)
        ]
        if not empty or len(empty) > MAX_EMPTY * len(clips):
            return clips
        names = ', '.join(map(clip_id, empty[:5])) + ', ...' * (len(empty) > 5)
        print_log(
            f'{self.ann_file}: {len(empty)} of {len(clips)} clips show no joint and are left out: '
            f'{names}',
            logger='current',
            level=logging.WARNING,
        )
        gone = set(map(id, empty))
        return [clip for clip in clips if id(clip) not in gone]

    def _check_keypoints(self, clips: List[Dict], path: Optional[Path] = None) -> None:
        source, joints_of = path or self.ann_file, 'layout'
        refuse(clips, source, ARRAYS)
        if self._flips:
            refuse(clips, source, FLIP)
        if self.num_joints is None:
            joints_of = 'first clip'
            self.num_joints = clips[0]['keypoint'].shape[2]
        for check in keypoint_checks(self.num_joints, joints_of, self._max_frames):
            refuse(clips, source, check)

    def _tell_dropped(self, clips: List[Dict]) -> None:
        """Log which persons do not fit into the network."""
        limit, dropped = self._num_person, {}
        for clip in clips:
            keypoint = clip['keypoint']
            if limit is None or len(keypoint) <= limit:
                continue
            inds = np.arange(limit)[:, None]
            if self._selects:
                inds = select_persons(keypoint, limit, clip.get('keypoint_score'))
            for track in dropped_persons(inds, keypoint.any((1, 2, 3))):
                frames = int(keypoint[track].any((1, 2)).sum())
                dropped.setdefault(clip_id(clip), []).append(f'{track} ({frames} frames)')
        if not dropped:
            return
        name, tracks = next(iter(dropped.items()))
        how = 'SelectPersons keeps those who act'
        if not self._selects:
            how = (
                'FormatGCNInput keeps the first ones in the file; to keep those who move most, '
                f"put dict(type='SelectPersons', num_person={limit}) first in the pipeline"
            )
        print_log(
            f'{self.ann_file}: {len(dropped)} of {len(clips)} clips have more persons than the '
            f'{limit} of the network; of the first, {name}, persons {", ".join(tracks[:5])} are '
            f'left out: {how}',
            logger='current',
            level=logging.INFO if self._selects else logging.WARNING,
        )


def _kind(step: Dict) -> str:
    """Return the last part of a type such as ``'mmaction.PadTo'``, a name or a class."""
    kind = step['type']
    return (kind if isinstance(kind, str) else kind.__name__).split('.')[-1]


def _agreed_stream(
    own: Union[str, Sequence[str], None], step: Union[str, Sequence[str], None]
) -> Union[str, Sequence[str]]:
    """Return the stream of a data set and its pipeline, or refuse two."""
    for stream in (own, step):
        if stream is not None:
            check_stream(stream)
    if None not in (own, step) and _streams(own) != _streams(step):
        raise ValueError(
            f'stream={own!r} of the data set differs from stream={step!r} of SkeletonStream in its '
            'pipeline: set both to the same, or use the config of that stream'
        )
    return own or step or 'j'


def _inside(folder: Path, name: str) -> Path:
    """Return a file in a folder: an id in a file must not lead out of it."""
    if Path(name).is_absolute() or '..' in Path(name).parts or '\0' in name:
        raise ValueError(f'the clip {name[:-4]!r:.100} names a file outside {folder}: rename it')
    return folder / name


def _streams(stream: Union[str, Sequence[str]]) -> Sequence[str]:
    return [stream] if isinstance(stream, str) else list(stream)


def _read_names(metainfo: Optional[Dict]) -> Optional[Dict]:
    """Read class names that are given as a file, of which MMEngine would keep only the name."""
    names = (metainfo or {}).get('classes')
    return dict(metainfo, classes=read_class_names(names)) if isinstance(names, str) else metainfo
