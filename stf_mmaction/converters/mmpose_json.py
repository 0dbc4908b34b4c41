"""Read MMPose's JSON files, one per video.

``MMPoseInferencer(..., pred_out_dir=...)`` and the demos of MMPose 1.x
(``--save-predictions``) write them: a list of frames, each with its ``instances``. If
persons have a ``track_id``, it is used; else they are tracked from frame to frame.
"""

from typing import Any, Dict, List, Optional

import numpy as np

from stf_mmaction.datasets.layouts import MAX_JOINTS
from stf_mmaction.files import read_json

from .clips import Clip, place_frames
from .tracking import persons_over_time


def read(clip: Clip, persons: int) -> Dict[str, np.ndarray]:
    """Read a clip.

    Args:
        clip (Clip): The clip.
        persons (int): Largest number of persons to keep.

    Returns:
        dict: ``keypoint`` (M, T, V, 2 or 3) and ``keypoint_score`` (M, T, V).

    Raises:
        ValueError: If this is not such a file.
    """
    frames = _frames(read_json(clip.source))
    values = [[_person(one, t) for one in instances] for t, instances in enumerate(frames)]
    shapes = {one.shape for instances in values for one in instances}
    if len(shapes) > 1:
        raise ValueError(f'its persons differ in joints or coordinates: {sorted(shapes)}')
    return persons_over_time(values, persons, _track_ids(frames))


def _frames(data: Any) -> List[List[Dict]]:
    """Return the instances of each frame, from the first that is listed to the last."""
    if isinstance(data, dict):
        data = data.get('instance_info')
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        raise ValueError("it is neither a list of frames nor a dict with 'instance_info'")
    if any('instances' not in frame for frame in data):
        if any('keypoints' in one for one in data):
            raise ValueError('it holds the persons of one picture, but a clip needs many frames')
        raise ValueError("it has frames without 'instances', which MMPose writes")
    index = [frame.get('frame_id', place) for place, frame in enumerate(data)]
    if not all(isinstance(i, int) for i in index) or len(set(index)) < len(index):
        raise ValueError('frame_id is not a whole number that differs for each frame')
    if not index:
        return [[]]
    places, num_frames = place_frames(index)
    frames: List[List[Dict]] = [[] for _ in range(num_frames)]
    for i, place, frame in zip(index, places, data):
        if not isinstance(frame['instances'], list):
            raise ValueError(f"'instances' of frame {i} is not a list")
        frames[place] = frame['instances']
    return frames


def _person(instance: Any, place: int) -> np.ndarray:
    """Return the joints and score of a person in a frame, (V, 3 or 4)."""
    try:
        joints = np.array(instance['keypoints'], float)
        score = np.array(instance['keypoint_scores'], float)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(
            f"an instance of frame {place + 1} lacks 'keypoints' or 'keypoint_scores', or they "
            'are not numbers'
        ) from None
    if joints.ndim != 2 or joints.shape[1] not in (2, 3) or score.shape != joints.shape[:1]:
        raise ValueError(
            f'an instance of frame {place + 1} has keypoints of shape {joints.shape} and scores '
            f'of shape {score.shape}'
        )
    if len(joints) > MAX_JOINTS:
        raise ValueError(f'an instance has {len(joints)} joints: up to {MAX_JOINTS} are read')
    out = np.concatenate([joints, score[:, None]], 1)
    if not np.isfinite(out).all():
        raise ValueError('it has numbers that are not finite')
    return out


def _track_ids(frames: List[List[Dict]]) -> Optional[List[List[int]]]:
    """Return the track of each person; None if one has none, or two in a frame have the same."""
    ids = [[one.get('track_id', -1) for one in instances] for instances in frames]
    fits = all(
        all(isinstance(i, int) and i >= 0 for i in row) and len(set(row)) == len(row) for row in ids
    )
    return ids if fits else None
