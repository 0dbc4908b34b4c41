"""Focus on the frames that were sampled, against a loop."""

import numpy as np
import pytest
import torch

from stf_mmaction.focus import focus_of_frames


def slow(focus, origin, frames):
    """Mean over the samples of a frame, np.interp between such frames."""
    _, persons, _, joints = focus.shape
    out = np.zeros((persons, frames, joints))
    for m in range(persons):
        for v in range(joints):
            values = {}
            for n, clip in enumerate(origin.tolist()):
                for t, frame in enumerate(clip):
                    if frame >= 0:
                        values.setdefault(frame, []).append(float(focus[n, m, t, v]))
            known = sorted(values)
            out[m, :, v] = np.interp(range(frames), known, [np.mean(values[f]) for f in known])
    return torch.from_numpy(out)


@pytest.mark.parametrize(
    'origin,frames',
    [
        ([[0, 1, 2, 3]], 4),
        ([[0, 1, 2, 0, 1, 2, 0]], 3),
        ([[3, 5, 11]], 14),
        ([[1, 4, 6], [0, 4, 9]], 10),
        ([[2, 0, 1, -1, -1]], 5),
        ([[0]], 1),
        ([[2]], 6),
    ],
)
def test_sampled_frames_keep_their_focus(origin, frames):
    origin = torch.tensor(origin)
    focus = torch.rand(
        len(origin),
        2,
        origin.shape[1],
        3,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    )
    laid = focus_of_frames(focus, origin, frames)
    assert laid.shape == (2, frames, 3)
    torch.testing.assert_close(laid, slow(focus, origin, frames))


def test_nothing_moves_in_time():
    """Stretching would move a peak; frame 7 of 100 was sampled third."""
    focus = torch.zeros(1, 1, 4, 1)
    focus[0, 0, 2] = 1
    laid = focus_of_frames(focus, torch.tensor([[0, 3, 7, 90]]), 100)
    assert int(laid.argmax()) == 7 and float(laid.max()) == 1
