"""Pictures find every clip, however the test data is wrapped or stored."""

import pickle

import numpy as np
import pytest
from helpers import tiny
from mmaction.registry import DATASETS, MODELS

from stf_mmaction.datasets.clip_view import ClipView, view_clips
from stf_mmaction.engine.inference import focus_of_clip


def dataset(path, split='val', **options):
    return dict(
        type='SkeletonDataset',
        ann_file=str(path),
        split=split,
        pipeline=tiny.pipeline(),
        test_mode=True,
        **options,
    )


def test_wrapped_data_sets(tmp_path):
    one = dataset(tiny.write(tmp_path / 'one.pkl', tiny.clips()))
    numbered = [dict(clip, frame_dir=i) for i, clip in enumerate(tiny.clips(seed=1))]
    two = dataset(tiny.write(tmp_path / 'two.pkl', numbered))
    cfg = dict(
        type='ConcatDataset', datasets=[one, dict(type='RepeatDataset', times=2, dataset=two)]
    )
    clips = view_clips(DATASETS.build(cfg))
    assert isinstance(clips, ClipView) and len(clips) == 12
    ids = [clips.get_data_info(i)['frame_dir'] for i in range(12)]
    assert ids == [f'clip{i}' for i in range(4, 8)] + 2 * ['4', '5', '6', '7']
    model = MODELS.build(tiny.model_cfg('focus')).eval()
    alone = DATASETS.build(two)
    assert view_clips(alone) is alone
    for index, place in ((4, 0), (11, 3)):
        shown = focus_of_clip(model, clips, index)
        wanted = focus_of_clip(model, alone, place, list(tiny.NAMES))
        np.testing.assert_array_equal(shown.focus, wanted.focus)
        np.testing.assert_array_equal(shown.keypoint, wanted.keypoint)
    other = dict(two, pipeline=tiny.pipeline(frames=9))
    with pytest.raises(ValueError, match='2 different pipelines'):
        view_clips(DATASETS.build(dict(type='ConcatDataset', datasets=[one, other])))


def test_detections_that_are_stored_frame_by_frame(tmp_path):
    """As MMAction2's 2D Kinetics: one file per clip, detections in a row."""
    rng = np.random.default_rng(0)
    annotations = []
    for i in range(2):
        frames = np.repeat(np.arange(6), 2)  # two detections per frame
        joints = np.concatenate([rng.uniform(1, 90, (12, 5, 2)), np.ones((12, 5, 1))], -1)
        detections = dict(keypoint=joints.astype(np.float16), frame_inds=frames)
        (tmp_path / f'clip{i}.pkl').write_bytes(pickle.dumps(detections))
        annotations.append(
            dict(frame_dir=f'clip{i}', label=i, total_frames=6, img_shape=(100, 100))
        )
    path = tiny.write(tmp_path / 'clips.pkl', annotations)
    steps = tiny.pipeline(persons=2)
    steps.insert(0, dict(type='DecompressPose', squeeze=True))
    data = dict(dataset(path), pipeline=steps, data_prefix=dict(skeleton=str(tmp_path)))
    clips = view_clips(DATASETS.build(data))
    info = clips.get_data_info(0)
    model = MODELS.build(tiny.model_cfg('focus', channels=3, persons=2)).eval()
    shown = focus_of_clip(model, clips, 0)
    assert shown.focus.shape == info['keypoint'].shape[:3]
    assert shown.focus.shape[1:] == (6, 5)
