"""Choose at most two persons among the bodies of an NTU clip.

A ``.skeleton`` file lists the bodies that a Kinect detected in each frame, in
no useful order, including furniture and reflections that it mistook for
bodies. These rules choose at most two persons. They and their thresholds are
those of pyskl's ``ntu_preproc.py``, from the author of the ``ntu60_3d.pkl``
that MMAction2 publishes; it follows Microsoft's VA-NN and SGN:

1. A body consists of all detections with the same id.
2. Of several bodies, those in 11 frames or fewer are noise, and so are those
   that are wider than 0.8 of their height in 69.754 % of their frames or
   more. A rule that would leave nobody is not applied.
3. The motion of a body is the variance of x, y and z over its joints and
   frames, summed; the frames in which it is too wide are left out if it is
   less without them.
4. From the most to the least motion, a body joins the first person (of two)
   that is in none of its frames: a Kinect that loses someone assigns a new id.
   A body that fits neither person is dropped.
5. Frames without either person are cut out. The person with more motion is
   the first, unless absent from the first frame.

Unlike in pyskl,

* gaps are filled: a body may join a person between two of its parts, whereas
  pyskl reserves all frames from the first to the last of a person; and frames
  after a gap keep their time, whereas pyskl moves them forward;
* frames with only dropped bodies are cut out of the middle of a clip, too,
  whereas pyskl leaves them empty;
* a clip whose bodies are all noise is kept, whereas pyskl stops;
* numbers have 32 bits, not 16.

The preparation of MS-G3D (and MMAction2's ``gen_ntu_rgbd_raw.py``) assumes that
the n-th body of each frame is the same person, and keeps the two with the largest
standard deviation.
"""

import numpy as np

MIN_FRAMES, MAX_WIDTH, MAX_WIDE_FRAMES = 12, 0.8, 0.69754


def choose_persons(bodies: np.ndarray) -> np.ndarray:
    """Choose at most two persons by the rules above.

    Args:
        bodies (numpy.ndarray): Shape (bodies, T, V, 3), zero where there is none.

    Returns:
        numpy.ndarray: Shape (M, T', V, 3), M from 0 to 2, without empty frames.
    """
    seen = bodies.any((2, 3))
    alive = [(body, where) for body, where in zip(bodies, seen) if where.any()]
    for is_noise in (_is_short, _is_wide):
        alive = [(body, where) for body, where in alive if not is_noise(body[where])] or alive
    alive.sort(key=lambda pair: -_motion(pair[0][pair[1]]))
    persons = np.zeros((2, *bodies.shape[1:]))
    taken = np.zeros((2, bodies.shape[1]), bool)
    for body, where in alive:
        for person, frames in zip(persons, taken):
            if not (frames & where).any():
                person[where] = body[where]
                frames |= where
                break
    persons = persons[taken.any(1)][:, taken.any(0)]
    is_late = len(persons) > 0 and not persons[0, 0].any()
    return persons[::-1] if is_late else persons


def _wide_frames(frames: np.ndarray) -> np.ndarray:
    """Return where (T, V, 3) joints are too wide for a body, (T,)."""
    width, height, _ = np.moveaxis(np.ptp(frames, axis=1), -1, 0)
    return width > MAX_WIDTH * height


def _is_short(frames: np.ndarray) -> bool:
    return len(frames) < MIN_FRAMES


def _is_wide(frames: np.ndarray) -> bool:
    return _wide_frames(frames).mean() >= MAX_WIDE_FRAMES


def _motion(frames: np.ndarray) -> float:
    narrow = frames[~_wide_frames(frames)]
    return min(part.var((0, 1)).sum() for part in (frames, narrow) if len(part))
