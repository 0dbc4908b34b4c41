"""MMAction2's PoseDataset, checked before training starts."""
from pathlib import Path
from typing import Callable, Dict, List, Optional, Union

import numpy as np
from mmaction.datasets import PoseDataset
from mmaction.registry import DATASETS

from .layouts import get_layout
from .safe_pickle import safe_load
from .transforms import check_stream


@DATASETS.register_module()
class SkeletonDataset(PoseDataset):
    """Skeleton clips in MMAction2's ``PoseDataset`` format.

    The file is read without running code from it, and every clip is looked
    at once, so that a bad one is named now and not in epoch 3.

    Args:
        ann_file (str): Pickle of ``dict(split=..., annotations=[...])``.
        pipeline (list[dict | callable]): Transforms.
        split (str, optional): Name of the split. Defaults to None, all.
        stream (str): What :class:`SkeletonStream` computes: ``'j'``,
            ``'b'``, ``'jm'`` or ``'bm'``. Defaults to ``'j'``.
        kwargs: Of ``PoseDataset``.

    Attributes:
        max_label (int): The largest label.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file, the split or a clip is not usable.
    """

    def __init__(self,
                 ann_file: str,
                 pipeline: List[Union[Dict, Callable]],
                 split: Optional[str] = None,
                 stream: str = 'j',
                 **kwargs) -> None:
        check_stream(stream)
        self.stream = stream
        steps = {
            step['type']: step
            for step in pipeline if isinstance(step, dict)
        }
        layout = steps.get('PrepareSkeleton', {}).get('layout')
        self._num_node = None if layout is None else get_layout(
            layout).num_node
        self._max_frames = steps.get('PadTo', {}).get('length')
        super().__init__(ann_file, pipeline, split=split, **kwargs)

    def load_data_list(self) -> List[Dict]:
        """Read the file and check its clips."""
        clips = self._read_split()
        problems = (
            ('keypoints that are not (persons, frames, joints, channels)',
             'see "Data" in the README', _not_an_array),
            ('no frame', 'leave it out',
             lambda clip: clip['keypoint'].shape[1] == 0),
            (f'another number of joints than the {self._num_node} of the '
             'layout', 'name the layout the data was recorded with',
             lambda clip: self._num_node is not None and clip['keypoint'].
             shape[2] != self._num_node),
            ('NaN or infinite keypoints', 'repair it or leave it out',
             lambda clip: not np.isfinite(clip['keypoint']).all()),
            ('only zeros', 'nobody is in it; leave it out',
             lambda clip: not np.any(clip['keypoint'])),
            ('a total_frames that is not its number of frames',
             'correct it or leave the entry out',
             lambda clip: clip.get('total_frames', clip['keypoint'].shape[1]
                                   ) != clip['keypoint'].shape[1]),
            ('a label that is not a whole number from 0 on', 'correct it',
             _bad_label),
            (f'more frames than the {self._max_frames} of PadTo',
             'use a larger length, or UniformSampleFrames in its place',
             lambda clip: self._max_frames is not None and clip['keypoint'].
             shape[1] > self._max_frames))
        for what, mend, is_bad in problems:
            bad = [clip for clip in clips if is_bad(clip)]
            if bad:
                raise ValueError(
                    f'{self.ann_file}: {len(bad)} of {len(clips)} clips '
                    f'have {what}, the first is {_name(bad[0])}; {mend}')
        self.max_label = max(int(clip['label']) for clip in clips)
        for clip in clips:
            clip['stream'] = self.stream
            clip.setdefault('total_frames', clip['keypoint'].shape[1])
        return clips

    def _read_split(self) -> List[Dict]:
        path = Path(self.ann_file)
        data = safe_load(path)
        if not isinstance(data, dict) or 'annotations' not in data:
            raise ValueError(
                f'{path} holds no annotations: it must be a pickle of '
                "dict(split={name: [frame_dir, ...]}, annotations=[...])")
        clips = data['annotations']
        if self.split is not None:
            splits = data.get('split', {})
            if self.split not in splits:
                raise ValueError(f'{path} has no split {self.split!r}: it '
                                 f'has {sorted(splits)}')
            wanted = set(splits[self.split])
            clips = [clip for clip in clips if _name(clip) in wanted]
        if not clips:
            raise ValueError(f'{path} has no clip of split {self.split!r}: '
                             'copy or make it again')
        lacking = [c for c in clips if 'keypoint' not in c or 'label' not in c]
        if lacking:
            raise ValueError(
                f'{path}: {len(lacking)} of {len(clips)} clips have no '
                f"'keypoint' or no 'label', the first is {_name(lacking[0])}")
        return clips


def _name(clip: Dict) -> str:
    return clip.get('frame_dir', clip.get('filename', '(no frame_dir)'))


def _not_an_array(clip: Dict) -> bool:
    keypoint = clip['keypoint']
    return (not isinstance(keypoint, np.ndarray) or keypoint.ndim != 4
            or keypoint.shape[3] not in (2, 3) or keypoint.shape[0] == 0
            or keypoint.dtype.kind != 'f')


def _bad_label(clip: Dict) -> bool:
    label = clip['label']
    return not isinstance(label, (int, np.integer)) or label < 0
