"""Track persons whom a pose estimator numbers anew in each frame."""

from typing import Dict, List, Optional, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from stf_mmaction.datasets.persons import join_tracks

from .clips import UNSEEN, Unusable

# A person may be lost for at most this number of frames, and move by at most this number of body
# sizes.
MAX_LOST, MAX_STEP = 15, 1.0
# Persons in a frame. Matching more takes long.
MAX_PERSONS = 200
# Limit for tracks times frames that are joined; beyond it, those with the lowest scores are not.
MAX_JOINED = 10**6


def track(
    frames: Sequence[Sequence[np.ndarray]], ids: Optional[Sequence[Sequence[int]]] = None
) -> List[Dict]:
    """Track persons from frame to frame.

    In each frame, the persons are matched to those of the frames before, so
    that the sum of the distances between their centres is smallest.

    Args:
        frames (Sequence[Sequence[numpy.ndarray]]): The persons of each frame,
            each (V, C + 1); the last channel is the score, 0 for joints that
            were not seen.
        ids (Sequence[Sequence[int]], optional): The id of each person, if a
            tracker has set it. Defaults to None.

    Returns:
        list[dict]: For each track the joints (V, C + 1) by frame.
    """
    if ids is not None:
        named: Dict[int, Dict] = {}
        for time, (persons, numbers) in enumerate(zip(frames, ids)):
            for person, number in zip(persons, numbers):
                named.setdefault(number, {})[time] = person
        return list(named.values())
    tracks: List[Dict] = []
    live: List[Dict] = []  # those that may continue
    for time, persons in enumerate(frames):
        persons = [person for person in persons if (person[:, -1] > 0).any()]
        if len(persons) > MAX_PERSONS:
            raise ValueError(f'frame {time + 1} has {len(persons)} persons')
        live = [one for one in live if time - next(reversed(one)) <= MAX_LOST]
        taken = {}
        if persons and live:
            cost = _steps([one[next(reversed(one))] for one in live], persons)
            matched = zip(*linear_sum_assignment(cost))
            taken = {i: live[j] for i, j in matched if cost[i, j] < MAX_STEP}
        for i, person in enumerate(persons):
            if i in taken:
                taken[i][time] = person
            else:
                live.append({time: person})
                tracks.append(live[-1])
    return tracks


def _steps(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> np.ndarray:
    """Return how far each person would have moved, in body sizes, (after, before).

    The result is at most twice the allowed distance.
    """
    (old, old_size), (new, new_size) = (
        map(np.array, zip(*map(_extent, persons))) for persons in (before, after)
    )
    distance = np.linalg.norm(new[:, None] - old, axis=-1)
    size = np.maximum(np.maximum(new_size[:, None], old_size), 1e-9)
    return np.minimum(distance / size, 2 * MAX_STEP)


def _extent(person: np.ndarray) -> tuple:
    """Return the centre and the size of the joints seen of a person (V, C + 1)."""
    points = person[person[:, -1] > 0, :-1]
    return points.mean(0), np.linalg.norm(np.ptp(points, axis=0))


def persons_over_time(
    frames: Sequence[Sequence[np.ndarray]], most: int, ids: Optional[Sequence[Sequence[int]]] = None
) -> Dict[str, np.ndarray]:
    """Return the persons of a clip as two arrays.

    If there are more tracks than ``most``, those that follow one another are
    joined first, since trackers assign new ids to persons whom they lost.

    Args:
        frames (Sequence[Sequence[numpy.ndarray]]): As for :func:`track`.
        most (int): Persons to keep: those with the highest sum of scores.
        ids (Sequence[Sequence[int]], optional): As for :func:`track`.

    Returns:
        dict: ``keypoint`` (M, T, V, C) and ``keypoint_score`` (M, T, V),
        float32; M is at least 1. ``left_out``, the number of other persons, if
        any.

    Raises:
        Unusable: If there are persons, but all their scores are 0.
    """
    persons = [person for some in frames for person in some]
    if any(one.any() for one in persons) and not any((one[:, -1] > 0).any() for one in persons):
        raise Unusable(UNSEEN)
    tracks = [_seen_frames(one) for one in track(frames, ids)]
    tracks = sorted(filter(None, tracks), key=_score, reverse=True)
    if len(tracks) > most:
        many = max(most, MAX_JOINED // len(frames))
        tracks = sorted(_join(tracks[:many], len(frames)) + tracks[many:], key=_score, reverse=True)
    shape = persons[0].shape if persons else (1, 3)
    values = np.zeros((max(1, len(tracks[:most])), len(frames), *shape), np.float32)
    for place, one in enumerate(tracks[:most]):
        for time, person in one.items():
            values[place, time] = person
    values[values[..., -1] <= 0] = 0
    out = dict(keypoint=values[..., :-1], keypoint_score=values[..., -1])
    return out if len(tracks) <= most else dict(out, left_out=len(tracks) - most)


def _seen_frames(one: Dict) -> Dict:
    return {time: person for time, person in one.items() if (person[:, -1] > 0).any()}


def _score(one: Dict) -> float:
    return sum(person[:, -1].sum() for person in one.values())


def _join(tracks: List[Dict], num_frames: int) -> List[Dict]:
    """Join tracks that follow each other, (V, C + 1) by frame."""
    numbers = np.full((len(tracks), num_frames), -1)
    channels = next(iter(tracks[0].values())).shape[1] - 1
    center = np.zeros((len(tracks), num_frames, channels))
    for number, one in enumerate(tracks):
        for time, person in one.items():
            numbers[number, time] = number
            center[number, time] = _extent(person)[0]
    return [
        {int(time): tracks[chain[time]][time] for time in np.flatnonzero(chain >= 0)}
        for chain in join_tracks(numbers, center)
    ]
