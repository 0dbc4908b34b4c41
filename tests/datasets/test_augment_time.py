"""Other moments of a clip against a loop over frames."""

import numpy as np
import pytest
from helpers.clips import LAYOUT, STATES, make_clip, weights
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

from stf_mmaction.datasets import RandomFrameCrop, RandomSpeed, RandomTimeWarp, ResampleFrames
from stf_mmaction.datasets.frame_mapping import trace


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)


@pytest.mark.parametrize('raw,channels,scored', STATES)
@pytest.mark.parametrize('length', [1, 5, 8, 15, 40])
def test_resampling_is_the_loop(raw, channels, scored, length):
    clip = make_clip(raw, channels, scored)
    out = ResampleFrames(length).transform(dict(clip))
    seen = (weights(clip) > 0) & (clip['keypoint'].any(-1) | (not raw))
    for i in range(length):
        time = 7 * i / (length - 1) if length > 1 else 0.0
        a, b = int(np.floor(time)), int(np.ceil(time))
        for m, v in np.ndindex(3, 5):
            if seen[m, a, v] and seen[m, b, v]:
                share = time - a
                expected = [
                    (1 - share) * x[m, a, v] + share * x[m, b, v]
                    for x in (clip['keypoint'], weights(clip))
                ]
            else:
                near = a if time - a < 0.5 else b
                expected = [clip['keypoint'][m, near, v], weights(clip)[m, near, v]]
            np.testing.assert_allclose(out['keypoint'][m, i, v], expected[0], atol=1e-5)
            np.testing.assert_allclose(weights(out)[m, i, v], expected[1], atol=1e-5)
    assert out['total_frames'] == length


def test_the_same_length_is_the_same_clip():
    clip = make_clip()
    out = ResampleFrames(8).transform(dict(clip))
    np.testing.assert_allclose(out['keypoint'], clip['keypoint'], rtol=1e-6)


def numbered(frames):
    """Each joint's x says which frame it is of, from 1 on."""
    keypoint = np.ones((1, frames, 5, 3))
    keypoint[..., 0] += np.arange(frames)[:, None]
    return dict(keypoint=keypoint, total_frames=frames)


def test_crops_are_stretches_of_every_length_and_place():
    clip, found = numbered(10), set()
    transform = RandomFrameCrop(frames=(0.5, 0.7))
    for _ in range(300):
        x = transform.transform(dict(clip))['keypoint'][0, :, 0, 0]
        np.testing.assert_array_equal(np.diff(x), 1)
        found.add((int(x[0]) - 1, len(x)))
    assert found == {(start, n) for n in (5, 6, 7) for start in range(10 - n + 1)}


def test_a_crop_without_anybody_is_not_taken():
    clip = numbered(10)
    clip['keypoint'][:, 1:] = 0
    for _ in range(50):
        out = RandomFrameCrop(frames=(0.1, 0.3)).transform(dict(clip))
        assert out['keypoint'].any()


def test_speed_is_even_and_within_bounds():
    clip, lengths = numbered(31), []
    for _ in range(400):
        x = RandomSpeed(2).transform(dict(clip))['keypoint'][0, :, 0, 0]
        lengths.append(len(x))
        np.testing.assert_allclose(x, np.linspace(1, 31, len(x)), rtol=1e-6)
    assert 15 <= min(lengths) <= 17 and 60 <= max(lengths) <= 62
    assert 0.4 < np.mean(np.array(lengths) < 31) < 0.6  # as often faster as slower
    limited = [
        len(RandomSpeed(2, max_frames=40).transform(dict(clip))['keypoint'][0]) for _ in range(100)
    ]
    assert max(limited) == 40
    # A clip that is longer already is left to the data set's own check.
    longer = [RandomSpeed(2, max_frames=9).transform(dict(clip))['total_frames'] for _ in range(50)]
    assert max(longer) == 31


def test_a_warp_keeps_length_ends_and_order():
    clip, steps = numbered(50), []
    for _ in range(200):
        x = RandomTimeWarp(2).transform(dict(clip))['keypoint'][0, :, 0, 0]
        assert len(x) == 50
        np.testing.assert_allclose(x[[0, -1]], [1, 50], rtol=1e-5)
        steps.append(np.diff(x))
        assert (steps[-1] > 0).all()
        assert steps[-1].max() / steps[-1].min() <= 4.001  # twice as fast over half as fast
    assert max(s.max() / s.min() for s in steps) > 3
    assert RandomTimeWarp().transform(numbered(1))['total_frames'] == 1


@pytest.mark.parametrize('kind', [RandomFrameCrop, RandomSpeed, RandomTimeWarp])
def test_not_after_the_frames_were_chosen(kind):
    clip = dict(numbered(8), frame_inds=np.arange(4))
    with pytest.raises(ValueError, match=f'{kind.__name__} .* before UniformSampleFrames'):
        kind().transform(clip)


@pytest.mark.parametrize(
    'kind,options,match',
    [
        (RandomFrameCrop, dict(frames=(0, 2)), 'frames=.0, 2. .* from 0 to 1'),
        (RandomSpeed, dict(factor=0.5), 'factor=0.5 .* from 1'),
        (RandomTimeWarp, dict(factor=0.5), 'factor=0.5 .* from 1'),
        (ResampleFrames, dict(length=0), 'length=0 .* at least 1'),
        (ResampleFrames, dict(length=6.5), 'length=6.5'),
        (ResampleFrames, dict(length=True), 'length=True'),
        (RandomSpeed, dict(max_frames='300'), "max_frames='300' .* at least 1"),
        (RandomSpeed, dict(max_frames=0), 'max_frames=0'),
    ],
)
def test_options_that_make_no_sense(kind, options, match):
    with pytest.raises(ValueError, match=match):
        kind(**options)


def test_the_focus_finds_its_frames():
    """ResampleFrames in a test pipeline: each input frame knows where it is from."""
    kinds = [
        dict(type='PrepareSkeleton', layout=LAYOUT),
        dict(type='ResampleFrames', length=5),
        dict(type='SkeletonStream', layout=LAYOUT),
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=1),
        dict(type='PackActionInputs', meta_keys=('frame_dir',)),
    ]
    clip = dict(numbered(9), label=0, frame_dir='clip')
    traced = trace(Compose([TRANSFORMS.build(kind) for kind in kinds]), clip)
    assert traced.inputs.shape == (1, 1, 5, 5, 4)
    assert traced.frames.tolist() == [[0, 2, 4, 6, 8]]
