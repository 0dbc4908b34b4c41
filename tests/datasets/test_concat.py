"""Data sets of several files: names of classes, balanced sampling."""

import pytest
from helpers import tiny
from mmaction.registry import DATASETS


def part(path, split='train', names=None, given=None, **options):
    more = {} if names is None else dict(classes=names)
    tiny.write(path, tiny.clips(), **more)
    meta = {} if given is None else dict(metainfo=dict(classes=given))
    return dict(
        type='SkeletonDataset', ann_file=str(path), split=split, pipeline=[], **meta, **options
    )


def concat(*parts, **options):
    return DATASETS.build(dict(type='ConcatDataset', datasets=list(parts), **options))


LONGER = [*tiny.NAMES, 'sit down']


@pytest.mark.parametrize(
    'names',
    [
        (list(tiny.NAMES), None),
        (None, list(tiny.NAMES)),
        (None, dict(enumerate(tiny.NAMES)), None),
        (['Wave', 'kick', 'stand_up'], list(tiny.NAMES)),
        (list(tiny.NAMES), LONGER, None),
    ],
)
def test_parts_need_not_all_name_the_classes(tmp_path, names):
    parts = [part(tmp_path / f'{i}.pkl', names=own) for i, own in enumerate(names)]
    found = concat(*parts).metainfo['classes']
    first = LONGER if LONGER in names else next(filter(None, names))
    assert list(found) == list(first.values() if isinstance(first, dict) else first)
    repeated = dict(type='ConcatDataset', datasets=parts)
    for wrapper in ('RepeatDataset', 'ClassBalancedDataset'):
        more = dict(times=2) if wrapper[0] == 'R' else dict(oversample_thr=1.0)
        outer = DATASETS.build(dict(type=wrapper, dataset=repeated, **more))
        assert outer.metainfo['classes'] == found


def test_without_names_there_are_none(tmp_path):
    assert 'classes' not in concat(part(tmp_path / 'a.pkl'), part(tmp_path / 'b.pkl')).metainfo


@pytest.mark.parametrize('names', [('kick', 'wave', 'stand up'), ('wave', 'kick', 'sit', 'lie')])
def test_classes_in_another_order_are_refused(tmp_path, names):
    one, two = part(tmp_path / 'a.pkl', names=tiny.NAMES), part(tmp_path / 'b.pkl', names=names)
    with pytest.raises(ValueError, match="class [012] is '.*' in .*a.pkl and '.*' in .*b.pkl: num"):
        concat(one, part(tmp_path / 'c.pkl'), two)


def test_names_as_labels_mend_the_order(tmp_path):
    """What the error advises: one list of names for all parts."""
    parts = []
    for name, order in (('a', tiny.NAMES), ('b', tiny.NAMES[::-1])):
        clips = [dict(clip, label=order[clip['label']]) for clip in tiny.clips()]
        path = tiny.write(tmp_path / f'{name}.pkl', clips, classes=list(order))
        parts.append(
            dict(
                type='SkeletonDataset',
                ann_file=str(path),
                pipeline=[],
                metainfo=dict(classes=tiny.NAMES),
            )
        )
    data = concat(*parts)
    labels = [data.get_data_info(i)['label'] for i in range(16)]
    assert labels[8:] == [2 - label for label in labels[:8]]
    assert data.get_cat_ids(9) == [labels[9]]


def test_other_entries_of_metainfo_are_mmengines_matter(tmp_path):
    one, two = part(tmp_path / 'a.pkl'), part(tmp_path / 'b.pkl')
    one['metainfo'], two['metainfo'] = dict(source='a'), dict(source='b')
    with pytest.raises(ValueError, match='does not match'):
        concat(one, two)
    assert concat(one, two, ignore_keys='source').metainfo == dict(source='a')


def test_validation_data_with_other_names_is_refused_before_training(tmp_path):
    data = tiny.write(tmp_path / 'a.pkl', tiny.clips(), classes=list(tiny.NAMES))
    other = tiny.write(tmp_path / 'b.pkl', tiny.clips(), classes=['kick', 'wave', 'stand up'])
    cfg = tiny.config(data, tmp_path / 'run', tiny.model_cfg())
    cfg.val_dataloader.dataset.ann_file = str(other)
    with pytest.raises(ValueError, match="class 0 is 'wave' in .*a.pkl and 'kick' in the data, 2"):
        tiny.train(cfg)
    assert not list((tmp_path / 'run').glob('*.pth'))
