"""Choose the persons of a clip that a network sees, if there are more than it supports."""

from typing import Dict, List, Optional

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from scipy.optimize import linear_sum_assignment

# A person in fewer frames than this share of the longest track is a passer-by.
PASSING = 0.2
# Passers-by move as a whole, which counts less than the movement of limbs.
WHOLE = 0.1


def select_persons(
    keypoint: np.ndarray, num_person: int, score: Optional[np.ndarray] = None
) -> np.ndarray:
    """Choose the persons of a clip by presence and motion, and join tracks.

    1. A track that starts after others have ended continues the nearest of
       them: trackers and Kinects that lose someone give a new id.
    2. Persons in fewer than a fifth of the frames of the longest one come
       last. The others are ordered by the number of their frames times their
       motion, the mean standard deviation of the joints over time.
    3. The first ``num_person`` are kept. The others fill their gaps, where
       they fit.

    If there are no more tracks than ``num_person``, all are kept unchanged.

    Args:
        keypoint (numpy.ndarray): Tracks, zero where absent, (M, T, V, C).
        num_person (int): Number of persons to keep.
        score (numpy.ndarray, optional): Scores, 0 for joints that were not
            seen, shape (M, T, V).

    Returns:
        numpy.ndarray: The track of each person kept in each frame, -1 where
        the person is absent, shape (M', T) with M' <= num_person.
    """
    seen = (keypoint != 0).any(-1)
    if score is not None:
        seen &= score > 0
    present = seen.any(2)
    alive = np.flatnonzero(present.any(1))
    inds = np.where(present, np.arange(len(present))[:, None], -1)
    if len(alive) <= num_person:
        return inds[alive]
    count = np.maximum(seen.sum(2), 1)[..., None]
    center = np.where(seen[..., None], keypoint, 0).astype(float).sum(2) / count
    chains = join_tracks(inds[alive], center)
    motion = [_motion(chain, keypoint, seen, center) for chain in chains]
    frames = np.array([(chain >= 0).sum() for chain in chains])
    passing = frames < PASSING * frames.max()
    order = np.lexsort((-frames, -frames * np.array(motion), passing))
    kept = [chains[i] for i in order[:num_person]]
    for i in order[num_person:]:
        for chain in kept:
            if not ((chain >= 0) & (chains[i] >= 0)).any():
                chain[chains[i] >= 0] = chains[i][chains[i] >= 0]
                break
    return np.stack(kept)


def join_tracks(tracks: np.ndarray, center: np.ndarray) -> List[np.ndarray]:
    """Join tracks that follow one another, each with the nearest one.

    Args:
        tracks (numpy.ndarray): The number of a track, its row in ``center``,
            in frames in which it is present, else -1, shape (M, T).
        center (numpy.ndarray): Mean of the joints seen, shape (M, T, C).

    Returns:
        list[numpy.ndarray]: Numbers of tracks, -1 where absent, each (T,).
    """
    first = (tracks >= 0).argmax(1)
    last = tracks.shape[1] - 1 - (tracks[:, ::-1] >= 0).argmax(1)
    chains: List[np.ndarray] = []
    ends: List[int] = []
    for start in np.unique(first):
        new = np.flatnonzero(first == start)
        free = [i for i, end in enumerate(ends) if end < start]
        starts = np.array([center[tracks[k, start], start] for k in new])
        stops = np.array([center[chains[i][ends[i]], ends[i]] for i in free])
        joined = {}
        if free:
            distance = np.linalg.norm(starts[:, None] - stops[None], axis=-1)
            joined = dict(zip(*linear_sum_assignment(distance)))
        for row, k in enumerate(new):
            if row in joined:
                place = free[joined[row]]
                chains[place][tracks[k] >= 0] = tracks[k, start]
                ends[place] = int(last[k])
            else:
                chains.append(tracks[k].copy())
                ends.append(int(last[k]))
    return chains


def _motion(chain: np.ndarray, keypoint: np.ndarray, seen: np.ndarray, center: np.ndarray) -> float:
    """Return the mean standard deviation of the joints over time, relative to the centre."""
    frames = np.flatnonzero(chain >= 0)
    tracks = chain[frames]
    mask = seen[tracks, frames][..., None]
    middle = center[tracks, frames]
    relative = keypoint[tracks, frames].astype(float) - middle[:, None]
    count = np.maximum(mask.sum(0), 1)
    mean = (relative * mask).sum(0) / count
    limbs = np.sqrt((((relative - mean) ** 2) * mask).sum(0) / count).mean()
    return float(limbs + WHOLE * middle.std(0).mean())


def dropped_persons(inds: np.ndarray, present: np.ndarray) -> List[int]:
    """Return the tracks of a clip that belong to no person kept.

    Args:
        inds (numpy.ndarray): The track of each person kept, -1 where absent,
            shape (M', T).
        present (numpy.ndarray): Whether a track contains anybody, shape (M,).
    """
    return [int(track) for track in np.flatnonzero(present) if not (inds == track).any()]


@TRANSFORMS.register_module()
class SelectPersons(BaseTransform):
    """Keep the persons who are present longest and move most, if a clip has too many.

    ``FormatGCNInput`` keeps the first ones in the file. Put this transform
    first in the pipeline; see :func:`select_persons` for the rules.

    Required keys: keypoint, shape (M, T, V, C); keypoint_score, shape
    (M, T, V), optional.

    Modified keys: keypoint, (M', T, V, C), and keypoint_score, (M', T, V),
    zero in frames in which a person is absent; unchanged if there are no more
    than ``num_person`` tracks.

    Added key: person_inds, the track of each person in each frame, (M', T), if
    anything changed.

    Args:
        num_person (int): M, as in ``FormatGCNInput`` and the backbone.
    """

    def __init__(self, num_person: int) -> None:
        if num_person < 1:
            raise ValueError(f'num_person={num_person} of SelectPersons must be 1 or more')
        self.num_person = num_person

    def transform(self, results: Dict) -> Dict:
        """Choose the persons of one clip."""
        keypoint, score = results['keypoint'], results.get('keypoint_score')
        if keypoint.ndim != 4 or len(keypoint) <= self.num_person:
            return results
        inds = select_persons(keypoint, self.num_person, score)
        if not len(inds):  # nobody at all
            return results
        frames = np.arange(inds.shape[1])
        absent = inds < 0
        results['keypoint'] = np.where(absent[..., None, None], 0, keypoint[inds, frames])
        results['keypoint'] = results['keypoint'].astype(keypoint.dtype, copy=False)
        if score is not None:
            results['keypoint_score'] = np.where(absent[..., None], 0, score[inds, frames])
        results['person_inds'] = inds
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(num_person={self.num_person})'
