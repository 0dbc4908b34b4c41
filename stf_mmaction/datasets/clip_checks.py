"""Check every clip of a file before training starts."""

from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Sequence, Union

import numpy as np

from .annotations import clip_id
from .numbers import anyone_seen, usable


class Check(NamedTuple):
    """A fault that a clip may have.

    Attributes:
        what (str): The fault, as the object of "clips have ...".
        mend (str): The remedy.
        is_bad (Callable): Whether a clip has it.
    """

    what: str
    mend: str
    is_bad: Callable[[Dict], bool]


def refuse(clips: Sequence[Dict], source: Union[str, Path], check: Check) -> None:
    """Raise a ValueError that names the clips with a fault, if there are any.

    Args:
        clips (Sequence[dict]): As in an annotation file.
        source (str or Path): The file from which they come.
        check (Check): The fault.
    """
    bad = [clip for clip in clips if check.is_bad(clip)]
    if bad:
        keypoint = bad[0].get('keypoint')
        shape = getattr(keypoint, 'shape', type(keypoint).__name__)
        raise ValueError(
            f'{source}: {len(bad)} of {len(clips)} clips have {check.what}, the first is '
            f"{clip_id(bad[0])} (keypoint {shape}, label {bad[0].get('label')}, total_frames "
            f"{bad[0].get('total_frames')}); {check.mend}"
        )


def _is_no_array(clip: Dict) -> bool:
    keypoint = clip.get('keypoint')
    return (
        not isinstance(keypoint, np.ndarray)
        or keypoint.ndim != 4
        or keypoint.shape[3] not in (2, 3)
        or keypoint.shape[0] == 0
        or keypoint.dtype.kind not in 'fiu'
    )


def has_bad_score(clip: Dict) -> bool:
    """Return whether a clip has a keypoint_score that is not one finite number per joint."""
    score = clip.get('keypoint_score')
    return score is not None and (
        np.shape(score) != clip['keypoint'].shape[:3] or not usable(score)
    )


def _has_other_length(clip: Dict) -> bool:
    frames = clip['keypoint'].shape[1]
    return clip.setdefault('total_frames', frames) != frames


# This comes first, since the other checks require it.
ARRAYS = Check(
    'keypoints that are missing or not (persons, frames, joints, 2 or 3 channels)',
    'see tools/data/README.md',
    _is_no_array,
)

# For pipelines with MMAction2's Flip.
FLIP_MEND = (
    "MMAction2's Flip moves x to width - x, in the pixels of a picture: use "
    "dict(type='RandomSkeletonMirror', layout=...) instead"
)
FLIP = Check(
    'three coordinates or no img_shape',
    FLIP_MEND,
    lambda clip: clip['keypoint'].shape[3] != 2 or clip.get('img_shape') is None,
)


def refuse_flip(steps: Sequence[str]) -> None:
    """Raise a ValueError if MMAction2's ``Flip`` comes after a transform that leaves no pixels.

    Args:
        steps (Sequence[str]): Types of the transforms, in order.
    """
    before = list(steps).index('Flip') if 'Flip' in steps else 0
    for step in list(steps)[:before]:
        if step in ('PrepareSkeleton', 'PreNormalize2D', 'PreNormalize3D'):
            raise ValueError(f'Flip after {step} in the pipeline: {FLIP_MEND}')


def keypoint_checks(num_joints: int, joints_of: str, max_frames: float) -> List[Check]:
    """Return the checks of keypoints (M, T, V, C), after :data:`ARRAYS`.

    Args:
        num_joints (int): V.
        joints_of (str): What has this number of joints, such as the layout.
        max_frames (float): Length of ``PadTo``, or infinity.
    """
    return [
        Check('no frame', 'leave it out', lambda clip: clip['keypoint'].shape[1] == 0),
        Check(
            f'another number of joints than the {num_joints} of the {joints_of}',
            'set the layout with which the data was recorded',
            lambda clip: clip['keypoint'].shape[2] != num_joints,
        ),
        Check(
            'NaN or infinite (beyond 1e18) keypoints',
            'repair it or leave it out',
            lambda clip: not usable(clip['keypoint']),
        ),
        Check(
            'only zeros',
            'nobody is in it; leave it out',
            lambda clip: not np.any(clip['keypoint']),
        ),
        Check(
            'a keypoint_score that is not one finite number for each joint',
            'correct it or leave the entry out',
            has_bad_score,
        ),
        Check(
            'no joint with a keypoint_score above 0',
            'nobody is seen in it; correct the scores or leave the entry out',
            lambda clip: not anyone_seen(clip),
        ),
        Check(
            'a total_frames that is not its number of frames',
            'correct it or leave the entry out',
            _has_other_length,
        ),
        Check(
            f'more frames than the {max_frames} of PadTo',
            'use a larger length, or UniformSampleFrames instead',
            lambda clip: clip['keypoint'].shape[1] > max_frames,
        ),
    ]
