"""Persons over time, where a pose estimator numbers them anew in each frame."""

from typing import Dict, List, Optional, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

# A person may be lost for so many frames and move by so many of its own sizes.
MAX_LOST, MAX_STEP = 15, 1.0
# In a frame. To match more takes long, and a crowd is no clip.
MAX_PERSONS = 200


def track(
    frames: Sequence[Sequence[np.ndarray]], ids: Optional[Sequence[Sequence[int]]] = None
) -> List[Dict]:
    """Follow persons from frame to frame.

    In each frame the persons are matched to those of the frames before, so
    that the distances between their middles are smallest in sum.

    Args:
        frames (Sequence[Sequence[numpy.ndarray]]): The persons of each
            frame, each (V, C + 1); the last channel is the score, 0 is not
            seen.
        ids (Sequence[Sequence[int]], optional): The number of each person,
            where a tracker has set it. Defaults to None.

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
    live: List[Dict] = []  # those that may go on
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
    """Return how far each person would have gone, in its own size, (after, before).

    At most twice what is allowed.
    """
    (old, old_size), (new, new_size) = (
        map(np.array, zip(*map(_extent, persons))) for persons in (before, after)
    )
    distance = np.linalg.norm(new[:, None] - old, axis=-1)
    size = np.maximum(np.maximum(new_size[:, None], old_size), 1e-9)
    return np.minimum(distance / size, 2 * MAX_STEP)


def _extent(person: np.ndarray) -> tuple:
    """Return the middle and the size of what was seen of a person (V, C + 1)."""
    points = person[person[:, -1] > 0, :-1]
    return points.mean(0), np.linalg.norm(np.ptp(points, axis=0))


def persons_over_time(
    frames: Sequence[Sequence[np.ndarray]], most: int, ids: Optional[Sequence[Sequence[int]]] = None
) -> Dict[str, np.ndarray]:
    """Give the persons of a clip as two arrays.

    Args:
        frames (Sequence[Sequence[numpy.ndarray]]): As for :func:`track`.
        most (int): Persons to keep: those with the highest sum of scores.
        ids (Sequence[Sequence[int]], optional): As for :func:`track`.

    Returns:
        dict: ``keypoint`` (M, T, V, C) and ``keypoint_score`` (M, T, V),
        float32; M is at least 1.
    """
    tracks = track(frames, ids)
    tracks.sort(key=lambda one: -sum(person[:, -1].sum() for person in one.values()))
    tracks = tracks[:most]
    shape = next((person.shape for persons in frames for person in persons), (1, 3))
    values = np.zeros((max(1, len(tracks)), len(frames), *shape), np.float32)
    for place, one in enumerate(tracks):
        for time, person in one.items():
            values[place, time] = person
    values[values[..., -1] <= 0] = 0
    return dict(keypoint=values[..., :-1], keypoint_score=values[..., -1])
