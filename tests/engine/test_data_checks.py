"""What of the data cannot work is said before the first iteration."""

import copy
import logging

import numpy as np
import pytest
import torch
from helpers import tiny
from mmaction.registry import DATASETS, MODELS
from mmengine.runner import EpochBasedTrainLoop, Runner

from stf_mmaction.engine.sanity_hooks import SkeletonCheckHook, leaf_datasets


class FakeRunner:
    """As much of a Runner as the hook looks at."""

    def __init__(self, train, val=None, classes=3):
        self.said = []
        self.logger = self
        self.model = MODELS.build(tiny.model_cfg('ensemble', classes))
        self._train_loop = None
        self._val_loop = None
        self.train_dataloader, self.val_dataloader = train, val

    def warning(self, text):
        self.said.append(text)


def loader(path, split='train', wrap=None, batch_size=4, **options):
    dataset = dict(
        type='SkeletonDataset',
        ann_file=str(path),
        split=split,
        pipeline=tiny.pipeline(),
        **options.pop('dataset', {}),
    )
    sampler = options.pop('sampler', dict(type='DefaultSampler', shuffle=False))
    cfg = dict(batch_size=batch_size, num_workers=0, sampler=sampler, **options)
    return Runner.build_dataloader(dict(cfg, dataset=wrap(dataset) if wrap else dataset))


def check(train, val=None, classes=3):
    runner = FakeRunner(train, val, classes)
    hook = SkeletonCheckHook()
    hook._check(runner, train, 'train_dataloader')
    if val is not None:
        hook._check(runner, val, 'val_dataloader')
        hook._tell_overlap(runner)
    return runner.said


WRAPPERS = {
    'none': None,
    'repeat': lambda d: dict(type='RepeatDataset', times=2, dataset=d),
    'concat': lambda d: dict(type='ConcatDataset', datasets=[d, dict(d, split='val')]),
    'both': lambda d: dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(type='ConcatDataset', datasets=[dict(d, split='val'), d]),
    ),
}


@pytest.mark.parametrize('kind', WRAPPERS)
def test_labels_are_found_in_every_wrapper(tmp_path, kind):
    clips = tiny.clips()
    clips[3]['label'] = 7
    data = loader(tiny.write(tmp_path / 'clips.pkl', clips), wrap=WRAPPERS[kind])
    assert len(leaf_datasets(data.dataset)) == (2 if kind in ('concat', 'both') else 1)
    with pytest.raises(ValueError, match='clips.pkl has labels up to 7, but the head has num_cla'):
        check(data)
    assert check(data, classes=8) == []
    part = torch.utils.data.Subset(data.dataset, [0, 1])
    assert leaf_datasets(part) == leaf_datasets(data.dataset)


def test_labels_that_count_from_one(tmp_path):
    clips = [dict(clip, label=clip['label'] + 1) for clip in tiny.clips()]
    with pytest.raises(ValueError, match='labels count from 0: subtract 1 from all'):
        check(loader(tiny.write(tmp_path / 'clips.pkl', clips)))


def test_joints_of_the_second_data_set(tmp_path):
    one = tiny.write(tmp_path / 'one.pkl', tiny.clips())
    two = tiny.write(tmp_path / 'two.pkl', tiny.clips(joints=5, channels=2))

    def wrap(dataset):
        return dict(type='ConcatDataset', datasets=[dataset, dict(dataset, ann_file=str(two))])

    with pytest.raises(ValueError, match='channels'):
        check(loader(one, wrap=wrap))


@pytest.mark.parametrize('name', ['train_dataloader', 'val_dataloader', 'test_dataloader'])
def test_a_loader_without_a_batch(tmp_path, name):
    path = tiny.write(tmp_path / 'clips.pkl', tiny.clips())
    cfg = tiny.config(path, tmp_path / 'run', tiny.model_cfg())
    cfg[name].update(drop_last=True, batch_size=5)
    match = f'{name} yields no batch: 4 clips .* batch_size=5, and drop_last=True'
    with pytest.raises(ValueError, match=match):
        if name == 'test_dataloader':
            tiny.build_runner(cfg).test()
        else:
            tiny.train(cfg)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_an_infinite_sampler_fills_its_batches(tmp_path):
    path = tiny.write(tmp_path / 'clips.pkl', tiny.clips())
    sampler = dict(type='InfiniteSampler', shuffle=True)
    data = loader(path, batch_size=5, sampler=sampler, drop_last=True)
    assert check(data) == [] and len(next(iter(data))['inputs']) == 5


def check_length(path, name='train_dataloader', **options):
    """Check a loader in a loop of epochs."""
    data = loader(path, **options)
    runner = FakeRunner(data)
    runner._train_loop = object.__new__(EpochBasedTrainLoop)
    SkeletonCheckHook._check_length(runner, data, name)


@pytest.mark.parametrize('name', ['train_dataloader', 'val_dataloader'])
def test_an_infinite_sampler_in_a_loop_of_epochs(tmp_path, name):
    path = tiny.write(tmp_path / 'clips.pkl', tiny.clips())
    with pytest.raises(ValueError, match=f'{name} never ends with an InfiniteSampler'):
        check_length(path, name, sampler=dict(type='InfiniteSampler'))


@pytest.mark.parametrize(
    'options,match',
    [
        (dict(num_batch_per_epoch=5), 'num_batch_per_epoch of .* needs 20 clips, .* has 4'),
        (dict(num_batch_per_epoch=0), 'train_dataloader yields no batch: its data set has no clip'),
        (dict(dataset=dict(indices=0)), 'indices=0 chooses no clip'),
    ],
)
def test_epochs_of_more_clips_than_there_are_or_of_none(tmp_path, options, match):
    path = tiny.write(tmp_path / 'clips.pkl', tiny.clips())
    check_length(path, num_batch_per_epoch=1)
    with pytest.raises(ValueError, match=match):
        check_length(path, **options)


@pytest.mark.parametrize(
    'other,match', [(2, 'yields .1, 2. batches in the processes'), (0, 'yields no batch')]
)
def test_processes_that_would_wait_for_each_other(tmp_path, monkeypatch, other, match):
    """One of two processes has a batch less, or none, as it tells the others."""
    path = tiny.write(tmp_path / 'clips.pkl', tiny.clips())
    name = 'stf_mmaction.engine.sanity_hooks.all_gather'
    monkeypatch.setattr(name, lambda own: [own, torch.tensor(other)])
    with pytest.raises(ValueError, match=f'train_dataloader {match}'):
        check_length(path)


def test_validation_data_is_checked_before_training(tmp_path):
    clips = tiny.clips()
    clips[-1]['label'] = 3
    path = tiny.write(tmp_path / 'clips.pkl', clips)
    cfg = tiny.config(path, tmp_path / 'run', tiny.model_cfg())
    with pytest.raises(ValueError, match='labels up to 3, but the head has num_classes=3'):
        tiny.train(cfg)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_what_is_suspicious_is_said(tmp_path):
    path = tiny.write(tmp_path / 'clips.pkl', tiny.clips(), classes=['a', 'b', 'c', 'd'])
    said = check(loader(path), loader(path, 'val'))
    assert len(said) == 2 and 'names 4 classes, the head has num_classes=3' in said[0]
    path = tiny.write(tmp_path / 'clips.pkl', tiny.clips())
    said = check(loader(path), loader(path))
    assert said == [
        '4 clips are in the training and in the validation data, the first is clip0: '
        'so the accuracy says nothing about new clips'
    ]


def build(path, split='train', **options):
    return DATASETS.build(
        dict(type='SkeletonDataset', ann_file=str(path), split=split, pipeline=[], **options)
    )


@pytest.mark.parametrize(
    'label',
    [np.int8(1), np.uint16(1), np.int64(1), np.float32(1), 1.0, True, np.array(1), np.array([1])]
    + [[1], (1,), torch.tensor(1), torch.tensor([1])],
)
def test_labels_of_every_type(tmp_path, label):
    clips = tiny.clips()
    for clip in clips:
        clip['label'] = copy.deepcopy(label)
    path = tiny.write(tmp_path / 'clips.pkl', clips)
    cfg = tiny.pipeline()
    dataset = build(path) if cfg else None
    assert {type(dataset.get_data_info(i)['label']) for i in range(4)} == {int}
    sample = loader(path).dataset[0]['data_samples']
    assert sample.gt_label.tolist() == [1]


@pytest.mark.parametrize('label', [-1, 1.5, 'kick', None, [1, 2], np.nan, np.array([]), '1'])
def test_what_is_no_label(tmp_path, label):
    clips = tiny.clips()
    clips[1]['label'] = label
    with pytest.raises(
        ValueError, match="1 of 4 clips have no 'label', or one that is not .*clip1"
    ):
        build(tiny.write(tmp_path / 'clips.pkl', clips))


def test_labels_of_several_classes(tmp_path):
    clips = tiny.clips()
    for clip, label in zip(clips, ([0, 2], np.array([1, 2], 'i2'), (np.int64(1),), 2)):
        clip['label'] = label
    dataset = build(tiny.write(tmp_path / 'clips.pkl', clips), multi_class=True, num_classes=3)
    hot = [dataset.get_data_info(i)['label'].tolist() for i in range(4)]
    assert hot == [[1, 0, 1], [0, 1, 1], [0, 1, 0], [0, 0, 1]]
    assert (dataset.min_label, dataset.max_label) == (0, 2)


def warnings(monkeypatch):
    said = []
    monkeypatch.setattr(
        'stf_mmaction.datasets.annotations.print_log',
        lambda text, level=logging.INFO, **_: said.append(text),
    )
    return said


def spoil(path, change, **more):
    clips = tiny.clips()
    change(clips)
    return tiny.write(path, clips, **more)


@pytest.mark.parametrize('kind', [int, np.int64, float, str, lambda i: f'{i}'.encode()])
def test_ids_that_are_numbers(tmp_path, kind):
    clips = [dict(clip, frame_dir=kind(i)) for i, clip in enumerate(tiny.clips())]
    path = tiny.write(tmp_path / 'clips.pkl', clips)
    ids = [build(path, 'val').get_data_info(i)['frame_dir'] for i in range(4)]
    assert ids == [f'{kind(i)}' if kind is float else f'{i}' for i in range(4, 8)]


def test_ids_that_are_missing_or_there_twice(tmp_path, monkeypatch):
    said = warnings(monkeypatch)
    path = tmp_path / 'clips.pkl'
    clips = [{k: v for k, v in clip.items() if k != 'frame_dir'} for clip in tiny.clips()]
    path.write_bytes(tiny.pickle.dumps(dict(annotations=clips)))
    assert build(path, None).get_data_info(5)['frame_dir'] == '5'
    assert 'no clip has a frame_dir: they are numbered' in said[0]
    with pytest.raises(ValueError, match="no split 'train': it has no splits at all"):
        build(path)
    spoil(path, lambda clips: clips[3].update(frame_dir=None))
    with pytest.raises(ValueError, match='1 of 8 clips have no frame_dir, the first is number 3'):
        build(path)
    spoil(path, lambda clips: clips[5].update(frame_dir='clip2'))
    with pytest.raises(ValueError, match="2 clips have the id 'clip2', numbers 2, 5"):
        build(path)
    spoil(path, lambda clips: [clip.update(filename=clip.pop('frame_dir')) for clip in clips[:0]])
    assert len(build(path)) == 4


@pytest.mark.parametrize(
    'split,match',
    [
        (dict(val=['clip1']), "no split 'train': use one of"),
        (dict(train=[]), "split 'train' is an empty list"),
        (dict(train='clip1'), "split 'train' is 'clip1', not a list"),
        (dict(train=3), "split 'train' is 3, not a list"),
        (dict(train=['a', 'b']), "names 2, such as 'a': they must be .* such as 'clip0'"),
        ([], 'it has no splits at all'),
        (None, 'it has no splits at all'),
    ],
)
def test_splits_that_choose_nothing(tmp_path, split, match):
    path = tmp_path / 'clips.pkl'
    path.write_bytes(tiny.pickle.dumps(dict(split=split, annotations=tiny.clips())))
    with pytest.raises(ValueError, match=match):
        build(path)


def test_names_of_a_split_without_a_clip(tmp_path, monkeypatch):
    said = warnings(monkeypatch)
    path = tmp_path / 'clips.pkl'
    names = ['clip1', 'clip2', 'lost', 'clip1']
    path.write_bytes(
        tiny.pickle.dumps(dict(split=dict(train=np.array(names)), annotations=tiny.clips()))
    )
    assert len(build(path)) == 2
    assert "split 'train' names 1 clips that the file does not hold, the first is 'lost'" in said[0]
