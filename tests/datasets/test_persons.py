"""Who is kept where a clip has more persons than the network takes."""

import numpy as np
import pytest
from helpers import tiny
from helpers.mapping import run
from mmaction.registry import DATASETS, TRANSFORMS

from stf_mmaction.datasets.persons import SelectPersons, dropped_persons, select_persons

FRAMES = 60


def person(where, moves, frames=range(FRAMES), walks=0.0, total=FRAMES, seed=0):
    """(T, V, 3): five joints around ``where``; ``moves`` is the swing of the limbs."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(size=(5, 3)) + [where, 0, 0]
    out = np.zeros((total, 5, 3), np.float32)
    for t in frames:
        swing = moves * np.sin(0.5 * t + np.arange(5))[:, None]
        out[t] = pose + swing + [walks * t, 0, 0]
    return out


def kept(tracks, num_person, score=None):
    """The tracks that each person kept shows."""
    inds = select_persons(np.stack(tracks), num_person, score)
    return [sorted(set(row[row >= 0].tolist())) for row in inds]


def test_a_passer_by_does_not_hide_the_actor():
    passing = person(5, 0.3, range(20, 25), walks=0.5)
    assert kept([passing, person(0, 0.2)], 1) == [[1]]
    # Nor one in a third of the frames, who moves as a whole.
    passing = person(5, 0.02, range(20), walks=0.1)
    assert kept([passing, person(0, 0.2)], 1) == [[1]]
    assert kept([passing, person(0, 0.2), person(9, 0.1)], 2) == [[1], [2]]


def test_a_bystander_does_not_hide_the_actor():
    still = person(3, 0.001)
    assert kept([still, person(0, 0.3, range(10, 60))], 1) == [[1]]
    assert kept([still, person(0, 0.3), person(6, 0.2)], 2) == [[1], [2]]


@pytest.mark.parametrize('num_person', [1, 2])
def test_new_ids_every_few_frames_are_one_person(num_person):
    tracks = [person(0, 0.2, range(i, i + 7), total=84) for i in range(0, 84, 7)]
    inds = select_persons(np.stack(tracks), num_person)
    assert len(inds) == 1
    assert (inds[0] == np.arange(84) // 7).all()


def test_tracks_that_follow_each_other_keep_their_places():
    """Both trackers lose both persons at once, and number them the other way round."""
    left = [person(0, 0.2, range(30), seed=1), person(0, 0.2, range(30, 60), seed=1)]
    right = [person(9, 0.1, range(30), seed=2), person(9, 0.1, range(32, 60), seed=2)]
    tracks = [left[0], right[0], right[1], left[1], person(4, 0.3, range(28, 33))]
    assert kept(tracks, 2) == [[0, 3], [1, 2]]


def test_gaps_are_filled_by_what_is_left():
    """A track that overlaps the nearest one joins another person, where it fits."""
    first, gap = person(0, 0.3, [*range(20), *range(40, 60)]), person(0, 0.3, range(20, 40))
    assert kept([first, gap], 1) == [[0, 1]]


def test_no_more_tracks_than_the_network_takes_stay_as_they_are():
    tracks = np.stack([person(0, 0.01), person(3, 0.5, range(3))])
    results = dict(keypoint=tracks, keypoint_score=np.ones(tracks.shape[:3]))
    out = SelectPersons(2).transform(dict(results))
    assert out['keypoint'] is tracks and 'person_inds' not in out
    # Empty slots are none.
    empty = np.zeros_like(tracks[0])
    out = SelectPersons(2).transform(dict(keypoint=np.stack([empty, *tracks, empty])))
    np.testing.assert_array_equal(out['keypoint'], tracks)
    nobody = np.zeros((3, 4, 5, 3))
    assert SelectPersons(2).transform(dict(keypoint=nobody))['keypoint'] is nobody
    with pytest.raises(ValueError, match='num_person=0'):
        SelectPersons(0)


def test_a_score_of_zero_is_not_seen():
    tracks = [person(0, 0.5), person(4, 0.1)]
    score = np.ones((2, FRAMES, 5), np.float32)
    score[0, 5:] = 0
    assert kept(tracks, 1, score) == [[1]]
    out = SelectPersons(1).transform(dict(keypoint=np.stack(tracks), keypoint_score=score))
    np.testing.assert_array_equal(out['keypoint'], np.stack(tracks)[1:])
    assert (out['keypoint_score'] == 1).all() and out['keypoint_score'].dtype == np.float32


def test_pixels_and_half_precision():
    tracks = np.stack([person(5, 0.3, range(20, 25)), person(0, 0.2)])[..., :2] * 100
    out = SelectPersons(1).transform(dict(keypoint=tracks.astype(np.float16)))
    assert out['keypoint'].dtype == np.float16
    np.testing.assert_array_equal(out['keypoint'], tracks[1:].astype(np.float16))


@pytest.mark.parametrize('first', [0, 1])
def test_focus_finds_the_tracks_again(first):
    """The mapping of frames and persons knows what was joined."""
    raw = np.zeros((4, 11, 25, 3), np.float32)
    for track, frames in enumerate(([0, 1], range(11), range(5), range(5, 11))):
        for t in frames:
            raw[track, t] = 100 * (track + 1) + t + 1
    clip = dict(keypoint=raw, label=0, total_frames=11, start_index=0, modality='Pose')
    steps = [dict(type='SelectPersons', num_person=2), dict(type='PadTo', length=15)]
    inputs, expected = run(clip, *(steps if first else steps[::-1]))
    np.testing.assert_array_equal(inputs, expected)
    assert {v // 100 for v in inputs[0, :, 0, 0, 0]} == {2, 3}


@pytest.mark.parametrize('select', [True, False])
def test_the_data_set_says_who_is_left_out(tmp_path, caplog, select, monkeypatch):
    annotations = tiny.clips(4, frames=FRAMES)
    annotations[1]['keypoint'] = np.stack([person(5, 0.3, range(5)), person(0, 0.2)])
    data = tiny.write(tmp_path / 'clips.pkl', annotations)
    steps = tiny.pipeline(frames=FRAMES)
    if select:
        steps.insert(0, dict(type='SelectPersons', num_person=1))
    said = []
    monkeypatch.setattr(
        'stf_mmaction.datasets.skeleton_dataset.print_log', lambda text, **_: said.append(text)
    )
    dataset = DATASETS.build(
        dict(type='SkeletonDataset', ann_file=str(data), split='train', pipeline=steps)
    )
    (text,) = said
    track = '0 (5 frames)' if select else '1 (60 frames)'
    assert '1 of 2 clips have more persons than the 1 of the network' in text
    assert f'of the first, clip1, persons {track} are left out' in text
    assert ('put dict' in text) == (not select)
    shown = dataset[1]['inputs'][0, 0, :, :, 3]
    assert int((shown != 0).any(1).sum()) == (FRAMES if select else 5)
    assert dropped_persons(np.array([[0, -1]]), np.array([True, True, False, True])) == [1, 3]


def test_it_is_registered():
    step = TRANSFORMS.build(dict(type='SelectPersons', num_person=1))
    assert repr(step) == 'SelectPersons(num_person=1)'
