"""The preparation of skeletons against loops over its definition."""

import numpy as np
import pytest
from helpers.networks import STAR
from helpers.tutorial import hand, plane
from mmaction.models.utils import Graph
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

from stf_mmaction.datasets import PrepareSkeleton, SkeletonStream

# Height: 2-1-0-4; centre: joint 0.
LAYOUT = dict(STAR, height=(2, 4))
HAND, PLANE = hand()[0], plane()[0]


@pytest.fixture
def clip():
    rng = np.random.default_rng(0)
    keypoint = rng.normal(size=(2, 6, 5, 3)).astype(np.float32)
    return dict(keypoint=keypoint, frame_dir='clip', total_frames=6)


def prepare(clip, layout=LAYOUT):
    return PrepareSkeleton(layout).transform(dict(clip))


def test_centre_and_height(clip):
    raw = clip['keypoint'].astype(np.float64)
    before = raw.copy()
    out = prepare(clip)
    lengths = []
    for t in range(6):
        way = 0.0
        for a, b in ((2, 1), (1, 0), (0, 4)):
            way += sum((raw[0, t, a, c] - raw[0, t, b, c]) ** 2 for c in range(3)) ** 0.5
        lengths.append(way)
    height = np.median(lengths)
    for m in range(2):
        for t in range(6):
            for v in range(5):
                expected = (raw[m, t, v] - raw[0, t, 0]) / height
                np.testing.assert_allclose(out['keypoint'][m, t, v], expected, rtol=1e-5, atol=1e-6)
    assert (out['visibility'] == 1).all()
    assert (clip['keypoint'] == before).all()


def test_height_does_not_change_with_the_pose(clip):
    """Folding a limb keeps its bones, and so the body height."""
    straight = np.zeros((1, 1, 5, 3), np.float32)
    straight[0, 0, :, 1] = [0.001, 1, 2, 0.5, -3]
    folded = straight.copy()
    folded[0, 0, 2] = [1, 1, 0]  # same length from joint 1
    for keypoint in (straight, folded):
        out = prepare(dict(keypoint=keypoint))
        bone = out['keypoint'][0, 0, 2] - out['keypoint'][0, 0, 1]
        np.testing.assert_allclose(np.linalg.norm(bone), 1 / 5, rtol=1e-2)


def test_lost_joints_and_absent_persons_stay_zero(clip):
    clip['keypoint'][0, 2, 3] = 0
    clip['keypoint'][1] = 0
    out = prepare(clip)
    assert (out['keypoint'][0, 2, 3] == 0).all()
    assert out['visibility'][0, 2, 3] == 0
    assert (out['keypoint'][1] == 0).all() and (out['visibility'][1] == 0).all()
    assert out['visibility'].sum() == 6 * 5 - 1


def test_a_lost_centre_is_taken_from_the_nearest_frame(clip):
    raw = clip['keypoint'].copy()
    clip['keypoint'][0, 3:, 0] = 0
    out = prepare(clip)['keypoint']
    full = prepare(dict(keypoint=raw))['keypoint']
    a = out[0, 5, 1] - out[0, 5, 2]
    b = full[0, 5, 1] - full[0, 5, 2]
    np.testing.assert_allclose(a / np.linalg.norm(a), b / np.linalg.norm(b), rtol=1e-4)
    expected = raw[0, 5, 1] - raw[0, 2, 0]
    np.testing.assert_allclose(
        out[0, 5, 1] / np.linalg.norm(out[0, 5, 1]), expected / np.linalg.norm(expected), rtol=1e-4
    )


def test_the_first_person_may_be_the_absent_one(clip):
    swapped = dict(clip, keypoint=clip['keypoint'][::-1].copy())
    swapped['keypoint'][0] = 0
    alone = prepare(dict(keypoint=clip['keypoint'][:1]))['keypoint']
    np.testing.assert_allclose(prepare(swapped)['keypoint'][1], alone[0])


@pytest.mark.parametrize('frames', [1, 2])
def test_short_clips_no_height_and_no_size(frames):
    keypoint = np.ones((1, frames, 5, 3), np.float32)
    out = prepare(dict(keypoint=keypoint))['keypoint']
    assert (out == 0).all()
    keypoint[0, :, 3] = [1, 1, 5]
    out = prepare(dict(keypoint=keypoint), STAR)['keypoint']
    np.testing.assert_allclose(out[0, 0, 3], [0, 0, 1])
    assert np.isfinite(prepare(dict(keypoint=0 * keypoint))['keypoint']).all()


def test_scores_are_the_visibility():
    rng = np.random.default_rng(0)
    keypoint = rng.normal(size=(1, 4, 17, 2)).astype(np.float16)
    score = rng.random((1, 4, 17)).astype(np.float16)
    out = PrepareSkeleton('coco').transform(dict(keypoint=keypoint, keypoint_score=score))
    np.testing.assert_allclose(out['visibility'], score.astype(np.float32))
    assert 'keypoint_score' not in out
    out = SkeletonStream('coco').transform(out)
    assert out['keypoint'].shape == (1, 4, 17, 3)
    np.testing.assert_allclose(out['keypoint'][..., 2], score.astype(np.float32))


def test_a_joint_without_score_is_not_there(clip):
    score = np.full((2, 6, 5), 0.5, np.float32)
    score[0, 2, 3] = 0
    clip['keypoint'][0, 4, 1] = 0  # whatever its score
    out = prepare(dict(clip, keypoint_score=score))
    for t, v in ((2, 3), (4, 1)):
        assert (out['keypoint'][0, t, v] == 0).all()
        assert out['visibility'][0, t, v] == 0
    assert out['visibility'].sum() == 0.5 * (2 * 6 * 5 - 2)
    with pytest.raises(ValueError, match='clip clip .*2, 6, 4.* one for each'):
        prepare(dict(clip, keypoint_score=score[..., :4]))


def test_the_array_of_the_dataset_is_left_alone(clip):
    for score in (0.0, 1.0):
        raw = clip['keypoint'].copy()
        out = prepare(dict(clip, keypoint_score=np.full((2, 6, 5), score)))
        SkeletonStream(LAYOUT, 'bm').transform(out)
        assert (clip['keypoint'] == raw).all()
        assert score or (out['keypoint'] == 0).all()


def test_height_uses_the_frames_that_show_the_whole_path(clip):
    raw = clip['keypoint'].copy()
    clip['keypoint'][0, :4, 1] = 0  # on the path: frames 4 and 5 are left
    lengths = [
        sum(np.linalg.norm(raw[0, t, a] - raw[0, t, b]) for a, b in ((2, 1), (1, 0), (0, 4)))
        for t in (4, 5)
    ]
    expected = (raw[0, 0, 3] - raw[0, 0, 0]) / np.mean(lengths)
    np.testing.assert_allclose(prepare(clip)['keypoint'][0, 0, 3], expected, rtol=1e-5)


def test_without_a_whole_path_the_reach_is_the_height(clip):
    clip['keypoint'] += 10  # a lost joint, at zero, would be far away
    raw = clip['keypoint'].astype(np.float64)
    clip['keypoint'][0, :, 1] = 0
    reach = [max(np.linalg.norm(raw[0, t, v] - raw[0, t, 0]) for v in (2, 3, 4)) for t in range(6)]
    expected = (raw[1, 3, 2] - raw[0, 3, 0]) / np.median(reach)
    np.testing.assert_allclose(prepare(clip)['keypoint'][1, 3, 2], expected, rtol=1e-5)


def test_a_centre_never_seen_is_the_mean_of_the_person(clip):
    clip['keypoint'][0, :, 0] = 0
    raw = clip['keypoint'].astype(np.float64)
    centre = np.mean([raw[0, t, v] for t in range(6) for v in (1, 2, 3, 4)], 0)
    out = prepare(clip)['keypoint'].astype(np.float64)
    for a, b in ((out[0, 1, 2], raw[0, 1, 2] - centre), (out[1, 1, 2], raw[1, 1, 2] - centre)):
        np.testing.assert_allclose(a / np.linalg.norm(a), b / np.linalg.norm(b), rtol=1e-4)


def test_the_nearest_centre_in_every_frame(clip):
    transform = PrepareSkeleton(LAYOUT)
    rng = np.random.default_rng(0)
    for _ in range(20):
        person = rng.normal(size=(9, 5, 3))
        seen = rng.random((9, 5)) < 0.4
        seen[rng.integers(9), 0] = True
        centre = transform._center(person, seen)
        there = [t for t in range(9) if seen[t, 0]]
        for t in range(9):
            nearest = min(there, key=lambda other: abs(other - t))
            assert (centre[t] == person[nearest, 0]).all()


@pytest.mark.parametrize(
    'layout,channels,scored',
    [
        (LAYOUT, 3, False),
        ('nturgb+d', 3, False),
        ('coco', 2, True),
        (HAND, 3, False),
        (PLANE, 2, True),
    ],
)
@pytest.mark.parametrize('stream', ['j', 'b', 'jm', 'bm'])
def test_streams_are_the_loop(stream, layout, channels, scored):
    skeleton = layout if isinstance(layout, dict) else vars(Graph(layout))
    V = skeleton['num_node']
    rng = np.random.default_rng(0)
    clip = dict(keypoint=rng.normal(size=(2, 6, V, channels)))
    clip['keypoint'][0, 2, 1] = 0
    if scored:
        clip['keypoint_score'] = rng.uniform(0.2, 1, (2, 6, V))
        clip['keypoint_score'][1, 3, 4] = 0
    ready = prepare(clip, layout)
    joints = ready['keypoint'].astype(np.float64)
    seen = ready['visibility'].copy()
    parents = {v: v for v in range(V)} | dict(skeleton['inward'])
    out = SkeletonStream(layout, stream).transform(dict(ready))['keypoint']
    assert out.shape == (2, 6, V, channels + 1) and out.dtype == np.float32

    def bone(m, t, v):
        p = parents[v]
        visible = min(seen[m, t, v], seen[m, t, p])
        return (joints[m, t, v] - joints[m, t, p]) * (visible > 0), visible

    def value(m, t, v):
        if stream[0] == 'b':
            return bone(m, t, v)
        return joints[m, t, v], seen[m, t, v]

    for m in range(2):
        for t in range(6):
            for v in range(V):
                expected, visible = value(m, t, v)
                if stream.endswith('m'):
                    after, later = value(m, min(t + 1, 5), v)
                    visible = min(visible, later)
                    expected = (after - expected) * (visible > 0)
                np.testing.assert_allclose(out[m, t, v, :-1], expected, atol=1e-6)
                assert out[m, t, v, -1] == visible


def test_the_dataset_chooses_the_stream(clip):
    ready = prepare(clip)
    chosen = SkeletonStream(LAYOUT).transform(dict(ready, stream='bm'))
    fixed = SkeletonStream(LAYOUT, 'bm').transform(dict(ready))
    assert (chosen['keypoint'] == fixed['keypoint']).all()
    with pytest.raises(ValueError, match="stream 'x'"):
        SkeletonStream(LAYOUT, 'x')
    with pytest.raises(ValueError, match="stream 'y'"):
        SkeletonStream(LAYOUT).transform(dict(ready, stream='y'))
    with pytest.raises(ValueError, match='put PrepareSkeleton before'):
        SkeletonStream(LAYOUT).transform(dict(clip))


def test_they_are_printed_with_their_arguments():
    assert repr(PrepareSkeleton('coco')) == "PrepareSkeleton(layout='coco')"
    assert repr(SkeletonStream('coco', 'b')) == "SkeletonStream(layout='coco', stream='b')"


@pytest.mark.parametrize('persons', [1, 2])
def test_a_whole_pipeline(clip, persons):
    clip['label'] = 2
    clip['keypoint'] = clip['keypoint'][:persons]
    kinds = [
        dict(type='PrepareSkeleton', layout=LAYOUT),
        dict(type='SkeletonStream', layout=LAYOUT),
        dict(type='PadTo', length=300),
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='PackActionInputs', meta_keys=('frame_dir',)),
    ]
    out = Compose([TRANSFORMS.build(kind) for kind in kinds])(dict(clip))
    assert out['inputs'].shape == (1, 2, 300, 5, 4)
    assert (out['inputs'][0, persons:] == 0).all()
    assert out['inputs'][0, :, 6:12].equal(out['inputs'][0, :, :6])
    assert out['data_samples'].frame_dir == 'clip'
    assert out['data_samples'].gt_label == 2


def test_another_skeleton_is_named(clip):
    for kind in (PrepareSkeleton, SkeletonStream):
        with pytest.raises(ValueError, match='clip clip .* 20 joints'):
            kind('kinect20').transform(dict(clip))
