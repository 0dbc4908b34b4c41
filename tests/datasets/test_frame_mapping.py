"""Where the frames and persons of a network's inputs come from.

Every joint holds the number of its frame and person, so that the inputs
themselves say what they are.
"""

import numpy as np
import pytest
from helpers.mapping import run
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

from stf_mmaction.datasets.frame_mapping import trace


def numbered(persons=2, frames=11, joints=25):
    """Person m in frame t is 100 (m + 1) + t + 1 everywhere."""
    marks = 100 * np.arange(1, persons + 1)[:, None] + np.arange(frames) + 1
    keypoint = np.broadcast_to(marks[:, :, None, None], (persons, frames, joints, 3))
    return dict(
        keypoint=keypoint.astype(np.float32),
        label=0,
        total_frames=frames,
        start_index=0,
        modality='Pose',
    )


@pytest.mark.parametrize(
    'steps',
    [
        [],
        [dict(type='PadTo', length=30)],
        [dict(type='PadTo', length=30, mode='zero')],
        [dict(type='UniformSampleFrames', clip_len=4)],
        [dict(type='UniformSampleFrames', clip_len=8)],
        [dict(type='UniformSampleFrames', clip_len=20)],
        [dict(type='UniformSampleFrames', clip_len=4, num_clips=3, test_mode=True)],
        [dict(type='PadTo', length=30), dict(type='UniformSampleFrames', clip_len=9)],
        [dict(type='GenSkeFeat', feats=['j']), dict(type='UniformSampleFrames', clip_len=9)],
    ],
    ids=lambda steps: '-'.join(step['type'] for step in steps),
)
@pytest.mark.parametrize('persons', [1, 2, 3])
def test_inputs_are_the_frames_that_they_are_said_to_be(steps, persons):
    inputs, expected = run(numbered(persons), *steps)
    np.testing.assert_array_equal(inputs, expected)


@pytest.mark.parametrize(
    'absent',
    [
        {0: [2, 5]},
        {0: [2, 5, 6], 1: [0, 1]},  # the second person comes first then
        {0: [3], 1: [7]},
    ],
)
@pytest.mark.parametrize('persons', [1, 2])
def test_frames_that_prenormalize3d_drops(absent, persons):
    clip = numbered(persons)
    for person, frames in absent.items():
        clip['keypoint'][person % persons, frames] = 0
    inputs, expected = run(
        clip,
        dict(type='PreNormalize3D', align_spine=False, align_shoulder=False),
        dict(type='UniformSampleFrames', clip_len=6),
    )
    seen = expected != 0
    center = np.unique((expected - inputs)[seen])
    assert len(center) == 1 and (inputs[~seen] == 0).all()
    assert seen[0, 0].any()


def test_the_random_state_of_the_user_is_put_back():
    sample = dict(type='UniformSampleFrames', clip_len=8, test_mode=True)
    np.random.seed(3)
    wanted = np.random.random()
    np.random.seed(3)
    run(numbered(), sample)
    assert np.random.random() == wanted


def test_what_cannot_be_traced_is_said():
    with pytest.raises(ValueError, match='clip of 11 frames .* 10 of PadTo'):
        run(numbered(), dict(type='PadTo', length=10))

    class DropFirst:
        def __call__(self, results):
            return dict(results, keypoint=results['keypoint'][:, 1:], total_frames=10)

    pack = TRANSFORMS.build(dict(type='PackActionInputs'))
    form = TRANSFORMS.build(dict(type='FormatGCNInput'))
    with pytest.raises(ValueError, match="10 frames, .* origin of 11 "):
        trace(Compose([DropFirst(), form, pack]), numbered())
