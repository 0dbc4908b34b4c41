"""A checkpoint knows what it was trained on: nothing else is tested without a word."""

import copy

import pytest
from helpers import tiny
from helpers.networks import STAR
from mmengine.config import Config

from stf_mmaction.engine.provenance import check_classes, check_provenance, config_of, differences

OURS = dict(
    model=dict(backbone=dict(graph_cfg=dict(layout='coco'))),
    test_dataloader=dict(
        dataset=dict(
            type='SkeletonDataset',
            stream='j',
            pipeline=[
                dict(type='PrepareSkeleton', layout='coco'),
                dict(type='SkeletonStream', layout='coco'),
                dict(type='PadTo', length=300),
                dict(type='FormatGCNInput', num_person=2),
            ],
        )
    ),
)


def checkpoint(cfg):
    return dict(meta=dict(cfg=Config(copy.deepcopy(cfg)).pretty_text))


def changed(change):
    cfg = copy.deepcopy(OURS)
    change(cfg, cfg['test_dataloader']['dataset'], cfg['test_dataloader']['dataset']['pipeline'])
    return cfg


def layouts(name):
    def change(cfg, data, steps):
        steps[0]['layout'] = steps[1]['layout'] = name

    return change


OTHER_GRAPH = dict(num_node=17, inward=[(i, 0) for i in range(1, 17)], center=0)


@pytest.mark.parametrize(
    'change,match',
    [
        (lambda c, d, s: d.update(stream='b'), "the stream 'j', the config gives it 'b'"),
        (lambda c, d, s: s[1].update(stream='jm'), "the stream 'j', the config gives it 'jm'"),
        (lambda c, d, s: d.update(stream=('j', 'b')), r"the config gives it 'j\+b'"),
        (layouts('openpose'), "the layout 'coco', the config gives it 'openpose'"),
        (
            lambda c, d, s: c['model']['backbone']['graph_cfg'].update(layout=OTHER_GRAPH),
            "the graph 'coco', the config gives it {'num_node': 17",
        ),
        (
            lambda c, d, s: s.__setitem__(0, dict(type='PreNormalize3D')),
            "the preparation 'PrepareSkeleton', the config gives it 'PreNormalize3D'",
        ),
        (
            lambda c, d, s: s.insert(0, dict(type='PreNormalize3D', align_spine=False)),
            r'the config gives it .PreNormalize3D\(align_spine=False\), PrepareSkeleton.',
        ),
        (lambda c, d, s: s.pop(0), "the preparation 'PrepareSkeleton', the config gives it 'none'"),
    ],
)
def test_what_makes_nonsense_is_refused_in_a_test(change, match):
    for trained, given in ((OURS, changed(change)), (changed(change), OURS)):
        if trained is not OURS:
            match = 'one.pth was trained on the '
        with pytest.raises(ValueError, match=f'{match}.*'):
            check_provenance(checkpoint(trained), Config(given), 'one.pth')
        (text, *_) = check_provenance(checkpoint(trained), given, 'one.pth', strict=False)
        assert text.startswith('one.pth was trained on the ')


@pytest.mark.parametrize(
    'change',
    [
        lambda c, d, s: None,
        lambda c, d, s: s.insert(1, dict(type='RandomSkeletonJitter', p=1)),
        lambda c, d, s: s.insert(0, dict(type='SelectPersons', num_person=2)),
        lambda c, d, s: [step.update(type=f"mmaction.{step['type']}") for step in s],
        lambda c, d, s: s[1].update(stream='j'),
        lambda c, d, s: d.pop('stream'),
        lambda c, d, s: c.update(test_dataloader=dict(dataset=dict(type='R', times=2, dataset=d))),
        lambda c, d, s: c.update(test_dataloader=dict(dataset=dict(type='C', datasets=[d, d]))),
        lambda c, d, s: c.update(model=dict(shared=dict(backbone=c['model']['backbone']))),
        lambda c, d, s: c.update(model=dict(members=[dict(backbone=c['model']['backbone'])])),
    ],
)
def test_the_same_in_other_words(change):
    assert differences(config_of(checkpoint(OURS)), changed(change)) == []
    assert differences(config_of(checkpoint(changed(change))), OURS) == []


def test_every_part_of_the_test_data_counts():
    def parts(*streams):
        def change(cfg, data, steps):
            kept = [dict(data, stream=stream) for stream in streams]
            cfg['test_dataloader'] = dict(dataset=dict(type='C', datasets=kept))

        return changed(change)

    with pytest.raises(ValueError, match="the stream 'j', the config gives it 'b'"):
        check_provenance(checkpoint(OURS), parts('j', 'j', 'b'), 'one.pth')
    assert differences(parts('j', 'b'), parts('b', 'j')) == []


@pytest.mark.parametrize(
    'one,other,same',
    [
        (dict(), dict(align_spine=True, zaxis=(0, 1)), True),
        (dict(zaxis=[0, 1]), dict(), True),
        (dict(), dict(align_spine=False), False),
        (dict(xaxis=[8, 4]), dict(xaxis=[4, 8]), False),
    ],
)
def test_arguments_of_the_preparation_count(one, other, same):
    def prepare(options):
        step = dict(type='PreNormalize3D', **options)
        return changed(lambda c, d, s: s.__setitem__(0, step))

    found = differences(config_of(checkpoint(prepare(one))), Config(prepare(other)))
    assert [difference.what for difference in found] == ([] if same else ['preparation'])


def test_a_layout_by_name_and_as_a_dict():
    inward = [[1, 0], [2, 1], [3, 0], [4, 0]]
    one, other = (changed(layouts(value)) for value in (STAR, dict(STAR, inward=inward)))
    assert differences(config_of(checkpoint(one)), other) == []


def test_less_than_it_was_trained_for_is_said():
    given = changed(lambda c, d, s: s[2].update(length=100))
    assert check_provenance(checkpoint(OURS), given, 'one.pth') == [
        'one.pth was trained on the frames 300, the config gives it 100'
    ]


@pytest.mark.parametrize(
    'meta', [None, {}, dict(cfg=None), dict(cfg='not ( python'), dict(cfg='x = ' + '(' * 500)]
)
def test_checkpoints_that_say_nothing(meta):
    assert check_provenance(dict(meta=meta), OURS, 'one.pth') == []
    assert check_provenance(dict(state_dict={}), OURS, 'one.pth') == []


def test_the_text_of_a_checkpoint_is_not_run(tmp_path):
    trap = tmp_path / 'run'
    text = (
        f'import os\nos.mkdir({str(trap)!r})\nx = os.mkdir({str(trap)!r})\n'
        f'model = dict(a=open({str(trap)!r}, "w"))\nlr = dict(b=[1, -2.5], **{{"c d": None}})\n'
    )
    assert config_of(dict(meta=dict(cfg=text))) == {'lr': {'b': [1, -2.5], 'c d': None}}
    assert not trap.exists()


def test_classes_of_other_data():
    ours, theirs = dict(classes=tiny.NAMES), dict(classes=['Wave', 'kick', 'sit down'])
    with pytest.raises(ValueError, match="class 2 is 'stand up' in one.pth and 'sit down' in the"):
        check_classes(ours, theirs, 'one.pth')
    assert len(check_classes(ours, theirs, 'one.pth', strict=False)) == 1
    same = dict(classes=['wave', 'Kick', 'stand_up'])
    for other in (same, {}, dict(classes=None)):
        assert check_classes(ours, other, 'one.pth') == []
