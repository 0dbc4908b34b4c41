"""Numbers that are not finite end a run, and name clip and iteration."""

import math
import pickle

import numpy as np
import pytest
import torch
from helpers.networks import recognizer
from helpers.small_runs import run
from mmaction.registry import HOOKS
from mmaction.structures import ActionDataSample
from mmengine.hooks import Hook
from torch.utils.data import DataLoader

from stf_mmaction.datasets import SkeletonDataset
from stf_mmaction.datasets.numbers import anyone_seen, usable
from stf_mmaction.datasets.transforms import PrepareSkeleton
from stf_mmaction.engine import cli
from stf_mmaction.engine.weights import check_weights

PIPELINE = [
    dict(type='PrepareSkeleton', layout='kinect20'),
    dict(type='SkeletonStream', layout='kinect20'),
    dict(type='PadTo', length=4),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]


def test_a_learning_rate_far_too_high_stops_the_run(tmp_path):
    with pytest.raises(ValueError) as error:
        run(tmp_path, optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e18)))
    message = str(error.value)
    assert 'the loss is not finite in iteration' in message and '(1e+18)' in message
    assert not list(tmp_path.glob('*.pth'))


class Poison(Hook):
    """Makes a weight NaN in the last step of an epoch, where no loss sees it."""

    priority = 'HIGH'

    def after_train_iter(self, runner, *_, **__):
        if runner.iter == 4:
            runner.model.layer.weight.data[0, 0] = float('nan')


def test_weights_are_checked_before_they_are_saved(tmp_path):
    with pytest.raises(ValueError, match='layer.weight is not finite after iteration'):
        run(tmp_path, [Poison()])
    assert not list(tmp_path.glob('*.pth'))


def batch(*values):
    samples = [ActionDataSample(metainfo=dict(frame_dir=f'clip{i}')) for i in range(len(values))]
    return dict(inputs=[torch.full((2, 3), v) for v in values], data_samples=samples)


@pytest.mark.parametrize(
    'values,named',
    [
        ((1.0, math.inf, 2.0), 'inputs of these clips are not finite: clip1'),
        ((math.nan, 1.0, math.nan), 'not finite: clip0, clip2'),
        ((1.0, 2.0, -5e6), 'clip0, clip1, clip2 (the largest input is 5e+06, in clip2)'),
    ],
)
@pytest.mark.parametrize('loss', [math.nan, math.inf, -math.inf])
def test_the_clips_are_named(tmp_path, values, named, loss):
    runner = run(tmp_path, train_cfg=dict(by_epoch=True, max_epochs=1))
    runner.message_hub.log_scalars.clear()
    outputs = dict(loss=torch.tensor(loss), loss_cls=torch.tensor(1.0))
    hook = HOOKS.build(dict(type='FiniteCheckHook'))
    with pytest.raises(ValueError) as error:
        hook.after_train_iter(runner, 0, batch(*values), outputs)
    assert named in str(error.value) and 'loss_cls' not in str(error.value)
    hook.after_train_iter(runner, 0, batch(1.0), dict(loss=torch.tensor(3.0)))


@pytest.mark.parametrize('event', ['after_val_iter', 'after_test_iter'])
def test_scores_are_checked_in_evaluation(event):
    samples = batch(1.0, 1.0, 1.0)['data_samples']
    for sample, score in zip(samples, (0.5, math.nan, 0.1)):
        sample.set_pred_score(torch.tensor([score, 0.5]))
    hook = HOOKS.build(dict(type='FiniteCheckHook'))
    with pytest.raises(ValueError, match='1 clips are not finite, of clip1'):
        getattr(hook, event)(None, 0, None, samples)
    getattr(hook, event)(None, 0, None, samples[:1])


@pytest.mark.parametrize('name', ['cls_head.fc.weight', 'stf_', 'running_var', 'bias'])
@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_checkpoints_of_nan_are_refused(name, value):
    model = recognizer()
    state = {k: v.clone() for k, v in model.state_dict().items()}
    check_weights(model, state, 'file.pth')
    key = next(key for key in state if name in key)
    state[key].view(-1)[-1] = value
    with pytest.raises(ValueError, match=f'file.pth holds {key} with NaN or infinite'):
        check_weights(model, state, 'file.pth')


@pytest.mark.parametrize(
    'value,good',
    [
        (0, True),
        (-1e18, True),
        (1e19, False),
        (1e300, False),
        (math.nan, False),
        (-math.inf, False),
    ],
)
@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64, np.longdouble])
def test_usable_numbers(value, good, dtype):
    with np.errstate(over='ignore'):
        array = np.array([1.0, value]).astype(dtype)
    if dtype is np.float16 and np.isinf(array).any():
        good = False
    assert usable(array) == good
    assert usable(np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max])) is False
    assert usable(np.array([3, -7], np.int8))


def test_who_is_seen():
    keypoint = np.zeros((1, 2, 3, 2))
    assert not anyone_seen(dict(keypoint=keypoint))
    keypoint[0, 1, 2] = 1
    assert anyone_seen(dict(keypoint=keypoint))
    score = np.ones((1, 2, 3))
    assert anyone_seen(dict(keypoint=keypoint, keypoint_score=score))
    score[0, 1, 2] = -0.5
    assert not anyone_seen(dict(keypoint=keypoint, keypoint_score=score))


@pytest.mark.parametrize('value', [1e300, math.nan, math.inf, -3e38])
@pytest.mark.parametrize('key', ['keypoint', 'keypoint_score'])
def test_no_data_set_gets_such_numbers_into_a_network(key, value):
    """Whatever the data set: the transform that all configs use looks, too."""
    clip = dict(keypoint=np.random.rand(1, 4, 20, 3), frame_dir='bad')
    clip['keypoint_score'] = np.ones((1, 4, 20))
    clip[key][0, 2, 3] = value
    with np.errstate(all='ignore'):
        with pytest.raises(ValueError, match='clip bad has NaN'):
            PrepareSkeleton('kinect20')(clip)


def clips(**second):
    """An annotation file's two clips, of which the second may be bad."""
    good = dict(keypoint=np.random.rand(1, 4, 20, 3), total_frames=4, label=0)
    return [dict(good, frame_dir='good'), dict(good, frame_dir='bad', **second)]


SCORES = np.ones((1, 4, 20))
BAD = [
    (dict(keypoint=np.full((1, 4, 20, 3), 1e300)), 'NaN or infinite .beyond 1e18. keypoints'),
    (dict(keypoint=np.full((1, 4, 20, 3), np.nan)), 'NaN or infinite .beyond 1e18. keypoints'),
    (dict(keypoint=np.zeros((1, 4, 20, 3))), 'only zeros'),
    (dict(keypoint_score=0 * SCORES), 'no joint with a keypoint_score above 0'),
    (dict(keypoint_score=-SCORES), 'no joint with a keypoint_score above 0'),
    (dict(keypoint_score=1e300 * SCORES), 'not one finite number for each joint'),
]


@pytest.mark.parametrize('change,what', BAD)
def test_one_file_of_clips(tmp_path, change, what):
    annotations = clips()
    annotations[1].update(change)
    path = tmp_path / 'all.pkl'
    path.write_bytes(pickle.dumps(dict(annotations=annotations)))
    with pytest.raises(ValueError, match=f'1 of 2 clips have.*{what}.*the first is bad'):
        SkeletonDataset(str(path), PIPELINE)


@pytest.mark.parametrize(
    'change,what', [*BAD, (dict(keypoint=[[1]]), 'keypoints that are missing')]
)
def test_one_file_per_clip(tmp_path, change, what):
    """Of ``data_prefix``, read when a clip is needed, also by a worker."""
    annotations = clips()
    for clip in annotations:
        data = dict(keypoint=clip.pop('keypoint'))
        data.update(change if clip['frame_dir'] == 'bad' else {})
        (tmp_path / f"{clip['frame_dir']}.pkl").write_bytes(pickle.dumps(data))
    path = tmp_path / 'all.pkl'
    path.write_bytes(pickle.dumps(dict(annotations=annotations)))
    dataset = SkeletonDataset(str(path), PIPELINE, data_prefix=dict(skeleton=str(tmp_path)))
    assert dataset[0]['inputs'].shape == (1, 1, 4, 20, 4)
    with pytest.raises(ValueError, match=f'bad.pkl: 1 of 1 clips have.*{what}'):
        dataset[1]


def test_an_error_in_a_worker_is_one_sentence(tmp_path):
    annotations = clips(keypoint_score=0 * SCORES)
    for clip in annotations:
        data = {k: clip.pop(k) for k in ('keypoint', 'keypoint_score') if k in clip}
        (tmp_path / f"{clip['frame_dir']}.pkl").write_bytes(pickle.dumps(data))
    path = tmp_path / 'all.pkl'
    path.write_bytes(pickle.dumps(dict(annotations=annotations)))
    dataset = SkeletonDataset(str(path), PIPELINE, data_prefix=dict(skeleton=str(tmp_path)))

    def main():
        list(DataLoader(dataset, batch_size=2, num_workers=1, collate_fn=list))

    with pytest.raises(SystemExit) as end:
        cli.run(main)
    assert end.value.code.startswith(f'error: {tmp_path}/bad.pkl: 1 of 1 clips have no joint')
    assert '\n' not in end.value.code
