"""Augmentation against loops, SciPy's rotations and what it must not touch."""

from unittest import mock

import numpy as np
import pytest
from helpers.clips import LAYOUT, STATES, make_clip, weights
from helpers.networks import STAR
from mmaction.registry import TRANSFORMS
from scipy.spatial.transform import Rotation

from stf_mmaction.datasets import (
    PrepareSkeleton,
    RandomJointErasing,
    RandomSkeletonJitter,
    RandomSkeletonMirror,
    RandomSkeletonRotation,
    RandomSkeletonScale,
    SkeletonStream,
    get_layout,
)

MOTIONS = [
    dict(type='RandomSkeletonRotation', angle=3, tilt=0.5),
    dict(type='RandomSkeletonScale', ratio=0.5),
    dict(type='RandomSkeletonJitter', std=0.1),
    dict(type='RandomSkeletonMirror', layout=LAYOUT, p=1),
]
HIDING = [dict(type='RandomJointErasing', p=1)]
TIMES = [
    dict(type='RandomFrameCrop'),
    dict(type='RandomSpeed'),
    dict(type='RandomTimeWarp'),
    dict(type='ResampleFrames', length=9),
]


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)


def run(kind, clip, **options):
    return TRANSFORMS.build(dict(kind, **options)).transform(dict(clip))


@pytest.mark.parametrize('raw,channels,scored', STATES)
@pytest.mark.parametrize('kind', MOTIONS + HIDING + TIMES, ids=lambda kind: kind['type'])
def test_what_every_augmentation_keeps(kind, raw, channels, scored):
    clip = make_clip(raw, channels, scored)
    before = {key: np.copy(value) for key, value in clip.items() if isinstance(value, np.ndarray)}
    out = run(kind, clip)
    for key, value in before.items():  # the data set's arrays are not written to
        np.testing.assert_array_equal(clip[key], value)
    frames = out['keypoint'].shape[1]
    assert out['keypoint'].shape == (3, frames, 5, channels)
    assert weights(out).shape == out['keypoint'].shape[:3] and out['total_frames'] == frames
    assert not out['keypoint'][2].any() and not weights(out)[2].any()
    assert np.isfinite(out['keypoint']).all()
    if kind in MOTIONS:
        assert not out['keypoint'][weights(out) == 0].any()
    # It still trains: the rest of the pipeline takes it.
    ready = PrepareSkeleton(LAYOUT).transform(dict(out)) if raw else dict(out)
    ready = SkeletonStream(LAYOUT).transform(ready)
    assert ready['keypoint'].shape == (3, frames, 5, channels + 1)
    if kind['type'] != 'ResampleFrames':
        np.random.seed(0)
        again = run(kind, clip)
        np.testing.assert_array_equal(again['keypoint'], out['keypoint'])
        differ = any(
            not np.array_equal(run(kind, clip)['keypoint'], out['keypoint']) for _ in range(9)
        )
        assert differ == (kind['type'] != 'RandomSkeletonMirror')
        idle = run(kind, clip, p=0)
        assert all(idle[key] is clip[key] for key in before)
    with pytest.raises(ValueError, match='put it before SkeletonStream'):
        run(kind, ready)


@pytest.mark.parametrize('raw,channels,scored', STATES)
@pytest.mark.parametrize('kind', MOTIONS[:3], ids=lambda kind: kind['type'])
def test_motions_keep_what_was_seen(kind, raw, channels, scored):
    clip = make_clip(raw, channels, scored)
    out = run(kind, clip)
    seen = (weights(clip) > 0) & (clip['keypoint'].any(-1) | (not raw))
    np.testing.assert_array_equal(weights(out), weights(clip))
    if raw:
        np.testing.assert_array_equal(out['keypoint'].any(-1), seen)


def pivot(clip):
    if 'visibility' in clip:
        return 0
    seen = clip['keypoint'].any(-1) & (weights(clip) > 0)
    return clip['keypoint'][seen].mean(0)


@pytest.mark.parametrize('raw,channels,scored', STATES)
@pytest.mark.parametrize('vertical', ['x', 'y', 'z'])
def test_rotation_is_scipys(raw, channels, scored, vertical):
    clip = make_clip(raw, channels, scored)
    draws = np.random.RandomState(0)
    draws.random_sample()  # whether at all
    out = run(dict(type='RandomSkeletonRotation', angle=2, tilt=0.3, vertical=vertical), clip)
    if channels == 2:
        matrix = Rotation.from_euler('z', draws.uniform(-0.3, 0.3)).as_matrix()[:2, :2]
    else:
        order = ('xyz' * 2)['xyz'.index(vertical) :][:3]  # lower case: about fixed axes
        matrix = Rotation.from_euler(order, draws.uniform(-1, 1, 3) * [2, 0.3, 0.3]).as_matrix()
    centre = pivot(clip)
    for place in np.ndindex(clip['keypoint'].shape[:3]):
        point = clip['keypoint'][place]
        if weights(out)[place] == 0:
            assert not out['keypoint'][place].any()
        else:
            expected = matrix @ (point - centre) + centre
            np.testing.assert_allclose(out['keypoint'][place], expected, atol=1e-5)


def test_rotation_about_the_vertical_axis_keeps_heights():
    clip = make_clip(raw=False)
    out = run(dict(type='RandomSkeletonRotation', angle=3, tilt=0), clip)
    np.testing.assert_allclose(out['keypoint'][..., 1], clip['keypoint'][..., 1], atol=1e-6)
    assert abs(out['keypoint'] - clip['keypoint']).max() > 0.1
    flat = make_clip(raw=False, channels=2)  # a picture has no such axis
    out = run(dict(type='RandomSkeletonRotation', angle=3, tilt=0), flat)
    np.testing.assert_allclose(out['keypoint'], flat['keypoint'], atol=1e-6)


@pytest.mark.parametrize('raw,channels,scored', STATES)
def test_scale_is_one_factor_within_bounds(raw, channels, scored):
    clip, factors = make_clip(raw, channels, scored), []
    there = weights(clip) > 0
    centre = pivot(clip)
    for _ in range(200):
        out = run(dict(type='RandomSkeletonScale', ratio=0.2), clip)
        moved, point = (c['keypoint'][0, 0, 2] - centre for c in (out, clip))
        factors.append(float(moved[0] / point[0]))
        np.testing.assert_allclose(
            (out['keypoint'] - centre)[there],
            factors[-1] * (clip['keypoint'] - centre)[there],
            atol=1e-4,
        )
    assert 0.8 <= min(factors) < 0.82 and 1.18 < max(factors) <= 1.2


def test_jitter_has_the_asked_spread():
    clip = dict(keypoint=np.ones((1, 500, 5, 3)))
    noise = RandomSkeletonJitter(0.05).transform(dict(clip))['keypoint'] - 1
    assert noise.std() == pytest.approx(0.05, rel=0.03)
    assert abs(noise.mean()) < 0.002
    # Of each joint and frame, not of the clip.
    assert abs(np.corrcoef(noise[0, :, 0, 0], noise[0, :, 1, 0])[0, 1]) < 0.2


@pytest.mark.parametrize('raw,channels,scored', STATES)
def test_mirror_is_the_loop(raw, channels, scored):
    clip = make_clip(raw, channels, scored)
    if raw and channels == 2:
        clip['img_shape'] = (48, 64)
    out = run(MOTIONS[3], clip)
    other = {3: 4, 4: 3, 1: 2, 2: 1, 0: 0}
    middle = 64 / 2 if raw and channels == 2 else np.broadcast_to(pivot(clip), channels)[0]
    for m, t, v in np.ndindex(clip['keypoint'].shape[:3]):
        assert weights(out)[m, t, v] == weights(clip)[m, t, other[v]]
        expected = np.array(clip['keypoint'][m, t, other[v]])
        expected[0] = 2 * middle - expected[0]
        if weights(out)[m, t, v] == 0:
            expected[:] = 0
        np.testing.assert_allclose(out['keypoint'][m, t, v], expected, atol=1e-5)
    twice = run(MOTIONS[3], out)
    seen = weights(clip) > 0
    np.testing.assert_allclose(twice['keypoint'][seen], clip['keypoint'][seen], atol=1e-5)


def test_a_mirrored_body_keeps_its_left_at_its_left():
    """Left, up and forward of a body turn the same way round; its hand is the other."""
    names = get_layout('kinect20').names
    at = {name: i for i, name in enumerate(names)}
    body = np.random.default_rng(0).normal(0, 0.01, (1, 1, 20, 3)) + 3
    body[0, 0, at['l_shoulder']] += [1, 4, 0]
    body[0, 0, at['r_shoulder']] += [-1, 4, 0]
    body[0, 0, at['l_hand']] += [2, 6, 1]  # the left one is raised, in front
    body[0, 0, at['r_hand']] += [-1, 1, 0]
    body[0, 0, at['l_foot']] += [1, -4, 1]  # toes point forward
    body[0, 0, at['l_ankle']] += [1, -4, 0]
    body[0, 0, at['r_foot']] += [-1, -4, 1]
    body[0, 0, at['r_ankle']] += [-1, -4, 0]

    def handed(points):
        left = points[at['l_shoulder']] - points[at['r_shoulder']]
        up = points[at['l_shoulder']] - points[at['l_ankle']]
        forward = points[at['l_foot']] - points[at['l_ankle']]
        return np.sign(np.linalg.det([left, up, forward]))

    out = RandomSkeletonMirror('kinect20', p=1).transform(dict(keypoint=body))['keypoint'][0, 0]
    assert handed(out) == handed(body[0, 0]) != 0
    assert out[at['r_hand'], 1] > out[at['r_shoulder'], 1] > out[at['l_hand'], 1]


def test_a_mirrored_or_moved_joint_never_falls_on_missing():
    """A joint seen at x = width, y = 0 would land on (0, 0)."""
    keypoint = np.zeros((1, 1, 5, 2))
    keypoint[0, 0, 0] = 64, 0
    keypoint[0, 0, 3] = 10, 20
    clip = dict(keypoint=keypoint, img_shape=(48, 64))
    out = RandomSkeletonMirror(LAYOUT, p=1).transform(clip)['keypoint'][0, 0]
    assert out.any(-1).tolist() == [True, False, False, False, True]
    np.testing.assert_allclose(out[[0, 4]], [[0, 0], [54, 20]], atol=1e-5)


@pytest.mark.parametrize('low,high', [(0.2, 0.6), (-0.5, 0.2)])
def test_a_mirrored_clip_of_normalised_2d_stays_where_it_is(low, high):
    """The clip still has the ``img_shape`` of its pixels, as after ``PreNormalize2D``."""
    keypoint = np.random.default_rng(0).uniform(low, high, (1, 4, 5, 2)).astype(np.float32)
    clip = dict(keypoint=keypoint, img_shape=(480, 640))
    out = RandomSkeletonMirror(LAYOUT, p=1).transform(dict(clip))['keypoint']
    expected = 2 * keypoint[..., 0].mean() - keypoint[:, :, [0, 2, 1, 4, 3], 0]
    np.testing.assert_allclose(out[..., 0], expected, atol=1e-5)


@pytest.mark.parametrize('raw,channels,scored', STATES)
def test_erasing_counts_joints_and_frames(raw, channels, scored):
    clip = make_clip(raw, channels, scored, frames=20)
    transform = RandomJointErasing(joints=0.4, frames=(0.25, 0.5), p=1)
    counts, lengths, differ = set(), set(), 0
    for _ in range(300):
        out = transform.transform(dict(clip))
        gone = (weights(out) == 0) & (weights(clip) > 0)
        kept = weights(out) > 0
        np.testing.assert_array_equal(out['keypoint'][kept], clip['keypoint'][kept])
        np.testing.assert_array_equal(weights(out)[kept], weights(clip)[kept])
        assert not out['keypoint'][gone].any()
        counts.add(int(gone[0].any(0).sum()))
        frames = np.flatnonzero(gone[0].any(1))
        lengths.add(len(frames))
        differ += (gone[0].any(0) != gone[1].any(0)).any()
        if not (scored and gone[0, :, 1].any()):  # joint 1 was lost once before
            assert len(frames) == frames[-1] - frames[0] + 1
    assert counts == {1, 2}
    assert lengths == set(range(5, 11)) or scored and lengths == set(range(4, 11))
    assert differ > 100


def test_erasing_leaves_something_of_everybody():
    keypoint = np.zeros((2, 4, 5, 3))
    keypoint[0, 2, 3] = 1  # one joint, in one frame
    keypoint[1] = 1
    transform = RandomJointErasing(joints=1, frames=(1, 1), p=1)
    for _ in range(50):
        out = transform.transform(dict(keypoint=keypoint))['keypoint']
        assert out.any((1, 2, 3)).all()


def test_p_is_a_share_of_clips():
    clip = make_clip()
    transform = RandomSkeletonScale(0.5, p=0.3)
    changed = sum(
        not np.array_equal(transform.transform(dict(clip))['keypoint'], clip['keypoint'])
        for _ in range(1000)
    )
    assert 250 < changed < 350


def test_nobody_is_left_alone():
    clip = dict(keypoint=np.zeros((1, 4, 5, 3)))
    for kind in MOTIONS + HIDING + TIMES[:3]:
        out = run(kind, clip)
        assert out['keypoint'] is clip['keypoint']


def test_halves_and_whole_numbers_become_floats():
    for dtype in (np.float16, np.int64):
        clip = dict(keypoint=np.arange(1, 31).reshape(1, 2, 5, 3).astype(dtype))
        out = run(MOTIONS[0], clip)
        assert out['keypoint'].dtype == np.float32


@pytest.mark.parametrize(
    'kind,options,match',
    [
        (RandomSkeletonScale, dict(p=1.5), 'p=1.5 .* from 0, up to 1'),
        (RandomSkeletonScale, dict(p='often'), "p='often'"),
        (RandomSkeletonScale, dict(p=float('nan')), 'p=nan'),
        (RandomSkeletonScale, dict(ratio=1), 'ratio=1 .* below 1'),
        (RandomSkeletonRotation, dict(angle=-1), 'angle=-1'),
        (RandomSkeletonRotation, dict(tilt=30), 'tilt=30 .* up to 3.142'),
        (RandomSkeletonRotation, dict(vertical='up'), "vertical='up'"),
        (RandomSkeletonJitter, dict(std=-0.1), 'std=-0.1'),
        (RandomSkeletonJitter, dict(std=float('inf')), 'std=inf'),
        (RandomJointErasing, dict(frames=0.5), 'frames=0.5 .* two numbers'),
        (RandomJointErasing, dict(frames=(0.9, 0.5)), 'the smaller first'),
        (RandomSkeletonMirror, dict(layout=STAR), "add 'pairs'"),
    ],
)
def test_options_that_make_no_sense(kind, options, match):
    with pytest.raises(ValueError, match=match):
        kind(**options)


def test_clips_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match='clip clip has 5 joints, .* has 20'):
        RandomSkeletonMirror('kinect20', p=1).transform(make_clip())
    clip = make_clip(scored=True)
    clip['keypoint_score'] = clip['keypoint_score'][:, :2]
    with pytest.raises(ValueError, match='clip clip has keypoint_score of shape'):
        RandomSkeletonScale().transform(clip)


def test_they_are_printed_with_their_arguments():
    assert repr(RandomSkeletonScale(0.2)) == 'RandomSkeletonScale(p=1.0, ratio=0.2)'
    assert repr(RandomSkeletonMirror('coco')) == "RandomSkeletonMirror(p=0.5, layout='coco')"


def test_a_worker_repeats_with_its_seed():
    """MMEngine seeds NumPy's generator in each worker; no other one is used."""
    with mock.patch('numpy.random.default_rng', side_effect=AssertionError):
        first, second = (self_seeded() for _ in range(2))
    np.testing.assert_array_equal(first, second)


def self_seeded():
    from mmengine.dataset import worker_init_fn

    worker_init_fn(1, num_workers=2, rank=0, seed=3)
    clip = dict(keypoint=np.ones((1, 8, 5, 3)))
    for kind in (*MOTIONS[:3], *HIDING, *TIMES):
        clip = run(kind, clip)
    return clip['keypoint']
