"""Tables of experiments: what is run, resumed, tested and concluded."""

import copy
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from scipy import stats

import stf_mmaction  # noqa: F401
from stf_mmaction.datasets import get_layout
from stf_mmaction.experiments import (
    pairing,
    plots,
    report,
    results,
    running,
    table,
    trial,
    variants,
)
from stf_mmaction.experiments.conditions import CONDITIONS, HideForTest, limbs, with_condition

ROOT = Path(__file__).resolve().parents[2]

TABLE = """
title: a small one
sets:
  demo:
    config: configs/msg3d_demo_j.py
    options:
      train_cfg.max_epochs: 1
      train_dataloader.dataset.indices: 8
      test_dataloader.dataset.indices: 6
      model.backbone.base_channels: 6
      model.backbone.num_gcn_scales: 1
      model.backbone.num_g3d_scales: 1
      model.cls_head.in_channels: 24
    splits: {own: {train: train, test: val}}
seeds: [0, 1]
against: plain
rows:
  plain:
  two: {mean_of: [plain, [plain, 100]]}
"""


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    init_default_scope('mmaction')
    path = tmp_path_factory.mktemp('table') / 'small.yml'
    path.write_text(TABLE)
    return table.Table(path)


@pytest.fixture(scope='module')
def trained(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp('scores')
    mean = small.cell('two', 'demo', 'own', 0)
    lines = [running.train_one(job, folder / f'{job.key}.npz') for job in mean.members]
    return folder, mean, lines


def test_a_run_is_tested_under_every_condition(trained):
    folder, mean, lines = trained
    with np.load(folder / f'{mean.members[0].key}.npz') as scores:
        right = scores['clean'].argmax(1) == scores['labels']
        assert set(lines[0]['top1']) == set(scores.files) - {'labels'} >= {'clean', *CONDITIONS}
        assert len(right) == 6
        np.testing.assert_allclose(scores['clean'].sum(1), 1, rtol=1e-5)
    assert lines[0]['top1']['clean'] == pytest.approx(100 * right.mean(), abs=1e-3)
    assert lines[0]['curves']['loss_cls'] == [pytest.approx(np.log(10), abs=1)]
    assert 0 <= lines[0]['focus']['coverage'] <= 1
    json.dumps(lines[0])


def test_a_mean_averages_probabilities(trained):
    folder, mean, _ = trained
    line = running.average(mean, folder)
    parts = [np.load(folder / f'{job.key}.npz') for job in mean.members]
    scores = (parts[0]['limb'] + parts[1]['limb']) / 2
    expected = 100 * (scores.argmax(1) == parts[0]['labels']).mean()
    assert line['top1']['limb'] == pytest.approx(expected, abs=1e-3)
    assert line['members'] == [job.key for job in mean.members]


def test_the_same_seed_gives_the_same_line(small, trained, tmp_path):
    job = small.cell('plain', 'demo', 'own', 0)
    first = trained[2][0]
    for _ in range(3):  # two of them begin in the same second
        again = running.train_one(job, tmp_path / 'scores.npz')
        assert {**again, 'cpu_seconds': 0} == {**first, 'cpu_seconds': 0}


def test_what_is_done_is_skipped_and_members_come_first(small, tmp_path):
    jobs = running.missing(small, set(), tmp_path, None)
    assert [(job.row, job.seed) for job in jobs] == [
        ('plain', 0),
        ('plain', 100),
        ('two', 0),
        ('plain', 1),
        ('plain', 101),
        ('two', 1),
    ]
    done = {job.key for job in jobs if job.row == 'plain'}
    # Their probabilities are gone: the mean needs them again.
    assert len(running.missing(small, done, tmp_path, ['plain', 'two'])) == 6
    for key in done:
        (tmp_path / f'{key}.npz').touch()
    assert [job.row for job in running.missing(small, done, tmp_path, ['plain', 'two'])] == [
        'two',
        'two',
    ]


def test_a_line_cut_by_a_kill_is_run_again(tmp_path):
    path = tmp_path / 'results.jsonl'
    whole = dict.fromkeys(results.LINE_KEYS, 'a')
    path.write_text(json.dumps(whole) + '\n{"key": "b", "to')
    lines = results.Results(path, writing=True)
    lines.add(dict(whole, key='c'))
    assert [line['key'] for line in lines.lines()] == ['a', 'c']
    with pytest.raises(ValueError, match='being written by another run'):
        results.Results(path, writing=True)


def test_keys_follow_what_is_trained_alone(small, tmp_path):
    (tmp_path / 'x').mkdir()
    elsewhere = table.Table(small.path, tmp_path / 'x')
    keys = [t.cell('plain', 'demo', 'own', s).key for t in (small, elsewhere) for s in (0, 1)]
    assert keys[:2] == keys[2:]
    assert keys[0] != keys[1]


def test_bundled_clips_need_not_be_in_the_data_root(small, tmp_path):
    def file(root):
        cell = table.Table(small.path, root).cell('plain', 'demo', 'own', 0)
        return Path(cell.config.test_dataloader.dataset.ann_file)

    bundled = file(None)
    assert bundled.is_file() and file(tmp_path) == bundled
    (tmp_path / bundled.name).touch()
    assert file(tmp_path) == tmp_path / bundled.name


def test_held_out_clips_are_training_clips_that_are_not_trained_on(small):
    splits = small.sets['demo']['splits']
    splits['third'] = {'hold_out': {'subject': [3]}}
    splits['few'] = {'train': 'train', 'test': 'val', 'only': {'subject': [3]}}
    try:
        cfg = small.cell('plain', 'demo', 'third', 0).resolved()
        few = small.cell('plain', 'demo', 'few', 0).resolved()
    finally:
        del splits['third'], splits['few']
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    assert train.split == test.split == 'train'
    assert sorted(train.indices + test.indices) == list(range(98))
    clips = trial.DATASETS.build(dict(test.to_dict(), pipeline=[]))
    assert {clips.get_data_info(i)['subject'] for i in range(len(clips))} == {3}
    assert few.train_dataloader.dataset.indices == test.indices
    assert few.test_dataloader.dataset.split == 'val'
    with pytest.raises(ValueError, match='takes 0 of the 98 clips'):
        table.having(str(ROOT / train.ann_file), 'train', {'subject': [99]})


@pytest.mark.parametrize(
    'change, message',
    [
        (('against: plain', 'against: plane'), "names the row 'plane'"),
        (('[plain, 100]', '[plane, 100]'), "mean_of of row 'two' names the row 'plane'"),
        (('seeds', 'seed'), "lacks \\['seeds'\\]"),
        (('mean_of', 'mean'), "row 'two' has unknown \\['mean'\\]"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, change, message):
    path = tmp_path / 'wrong.yml'
    path.write_text(TABLE.replace(*change))
    with pytest.raises(ValueError, match=message):
        table.Table(path)


def test_limbs_end_at_forks():
    found = limbs(get_layout('kinect20'))
    assert found == [
        (3,),
        (7, 6, 5, 4),
        (11, 10, 9, 8),
        (15, 14, 13, 12),
        (19, 18, 17, 16),
    ]


@pytest.mark.parametrize('condition', CONDITIONS)
def test_conditions_hide_what_they_say(condition):
    rng = np.random.RandomState(0)
    hide = HideForTest('kinect20', condition, CONDITIONS[condition])

    def clip(name):
        points = np.ones((2, 8, 20, 3), np.float32)
        return dict(keypoint=points, visibility=np.ones((2, 8, 20), np.float32), frame_dir=name)

    first, again = (hide.transform(clip('a')) for _ in range(2))
    np.testing.assert_array_equal(first['keypoint'], again['keypoint'])
    others = [hide.transform(clip(f'{rng.rand()}')) for _ in range(8)]
    assert any((other['keypoint'] != first['keypoint']).any() for other in others)
    lost = 1 - first['visibility']
    assert (first['keypoint'][lost == 1] == 0).all()
    share = dict(joints=6 / 20, frames=0.5, noise=0).get(condition)
    if share is None:
        assert lost[0, 0].sum() in (1, 4)
    else:
        assert lost.mean() == pytest.approx(share)


def test_a_condition_comes_before_the_stream():
    pipeline = [dict(type='PrepareSkeleton'), dict(type='SkeletonStream', layout='coco')]
    kinds = [step['type'] for step in with_condition(pipeline, 'limb')]
    assert kinds == ['PrepareSkeleton', 'HideForTest', 'SkeletonStream']


def test_intervals_are_those_of_the_paired_t_test():
    ours, theirs = [91.0, 92.5, 89.0, 93.0], [90.0, 90.5, 89.5, 91.0]
    values = [
        {seed: {'only': value} for seed, value in enumerate(numbers)} for numbers in (ours, theirs)
    ]
    found = pairing.difference(*values, ['only'])
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert found[2:4] == pytest.approx((expected.low, expected.high))
    assert (found.mean, found.count) == (pytest.approx(1.125), 4)


def test_folds_of_a_seed_are_not_independent():
    ours = {0: {'a': 4.0, 'b': 6.0}, 1: {'a': 1.0, 'b': 2.0}, 2: {'a': 9.0}}
    theirs = {seed: {'a': 0.0, 'b': 0.0} for seed in range(3)}
    found = pairing.difference(ours, theirs, ['a', 'b'])
    assert (found.count, found.mean) == (2, pytest.approx(3.25))  # the third is incomplete
    assert pairing.difference({0: ours[0]}, theirs, ['a', 'b']).count == 2  # a single seed: splits
    assert pairing.difference({5: ours[0]}, theirs, ['a', 'b']) is None


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    right = np.array([True, False, True, True])
    # |1 - 1.9| / 4 + |2 - 1.1| / 4
    assert trial.calibration_error(confidence, right) == pytest.approx(0.45)


def test_the_page_shows_means_and_gains(small):
    def line(row, seed, top1):
        keys = dict(row=row, set='demo', split='own', seed=seed)
        return dict(keys, top1=dict.fromkeys(report.TOP1, top1), ece=0.1, focus={})

    lines = [line('plain', seed, 80.0 + 2 * seed) for seed in range(3)]
    lines += [line('two', seed, 83.0) for seed in range(3)]
    text = report.markdown(small, lines)
    assert '| plain | 3 | 82.0 ± 2.0 | (82.0) |' in text
    assert '| plain | 0.1 | - | - | - | - |' in text
    reach = stats.t.ppf(0.975, 2) * np.std([3, 1, -1], ddof=1) / 3**0.5
    assert f'| two | 3 | 83.0 ± 0.0 | +1.0 [{1 - reach:+.1f}, {1 + reach:+.1f}] |' in text
    assert '| two | 2 | 83.0 ± 0.0 | +2.0 | +2.0 |' in report.markdown(
        small, lines[:2] + lines[3:5]
    )


def test_gains_are_averaged_over_data_sets_that_count_once_each(small, monkeypatch):
    """One of five folds and three seeds is as much as one of a single run."""
    gains = dict(a={0: [6.0]}, b={0: [1.0, 3.0]}, c={0: [1.0], 1: [0.0]})
    splits = {name: {f's{i}': {} for i in range(2 if name == 'b' else 1)} for name in gains}
    monkeypatch.setattr(small, 'sets', {n: dict(splits=own) for n, own in splits.items()})

    def line(row, name, split, seed, top1):
        keys = dict(row=row, set=name, split=split, seed=seed)
        return dict(keys, top1=dict.fromkeys(report.TOP1, top1), focus={})

    lines = []
    for name, seeds in gains.items():
        for seed, values in seeds.items():
            for i, value in enumerate(values):
                lines.append(line('plain', name, f's{i}', seed, 50.0 + seed))
                lines.append(line('two', name, f's{i}', seed, 50.0 + seed + value))
    reach = stats.t.ppf(0.975, 2) * np.std([6, 2, 0.5], ddof=1) / 3**0.5
    mean = 8.5 / 3
    expected = f'| two | 3 | {mean:+.1f} [{mean - reach:+.1f}, {mean + reach:+.1f}] |'
    text = report.markdown(small, lines)
    assert expected in text and '| mean of the data sets |' in text
    of_two = [line for line in lines if line['set'] != 'c']
    assert 'mean of the data sets' not in report.markdown(small, of_two)


def test_plots_have_their_numbers_beside_them(small, tmp_path):
    def line(row, seed, top1, curve):
        keys = dict(row=row, set='demo', split='own', seed=seed)
        return dict(keys, top1=dict(clean=top1), curves=dict(loss_cls=curve, top1_acc=[0.5]))

    lines = [line('plain', 0, 80.0, [2.0, 1.0]), line('plain', 1, 82.0, [4.0, 2.0])]
    path = tmp_path / 'a.png'
    assert not plots.plot_gains(small, lines, path) and not plots.plot_curves(small, [], path)
    lines += [line('two', 0, 83.0, [1.0, 0.5]), line('two', 1, 84.0, [1.0, 0.5])]
    assert plots.plot_gains(small, lines, path)
    (cells,) = path.with_suffix('.csv').read_text().splitlines()[1:]
    assert cells == 'demo,two,clean,2.5000,,'  # two pairs have no interval
    assert plots.plot_curves(small, lines, path)
    assert path.with_suffix('.csv').read_text().splitlines()[1:] == [
        'demo,loss_cls,plain,1,3.0000',
        'demo,loss_cls,plain,2,1.5000',
        'demo,loss_cls,two,1,1.0000',
        'demo,loss_cls,two,2,0.5000',
    ]


def test_variants_by_their_definition():
    first, second = torch.rand(3, 1, 4, 5), torch.rand(3, 1, 4, 5)
    distance = ((first - second) ** 2).mean((1, 2, 3)).sqrt()
    margin = variants.MarginDivergenceLoss(margin=0.5, loss_weight=2)
    torch.testing.assert_close(margin(first, second), 2 * (0.5 - distance).clamp(0).mean())
    coherence = variants.MeanCoherenceLoss(loss_weight=2)
    torch.testing.assert_close(coherence(first, second), 2 * distance.mean())
    masked = variants.MaskedClassificationLoss(loss_weight=1)
    assert masked(torch.tensor([[2.0, 0.0]]), torch.tensor([0])) == pytest.approx(
        0.126928, abs=1e-5
    )


def test_guided_erasing_prefers_what_is_in_focus(monkeypatch):
    from mmaction.registry import MODELS
    from mmaction.structures import ActionDataSample

    backbone = dict(type='MSG3DBackbone', graph_cfg=dict(layout='kinect20'), base_channels=6)
    backbone.update(num_person=1, num_gcn_scales=1, num_g3d_scales=1)
    head = dict(type='STFHead', num_classes=3, in_channels=24)
    net = MODELS.build(dict(type='FocusErasingRecognizer', backbone=backbone, cls_head=head, p=1))
    clips = torch.rand(200, 1, 8, 20, 3)
    focus = torch.full((200, 1, 1, 8, 20), 0.01)
    focus[..., :5] = 1
    monkeypatch.setattr(net, 'focus', lambda *_: dict(focus=focus))
    samples = [ActionDataSample().set_gt_label(0)] * 200
    share = {}
    for net.guided in (0, 1):
        hidden = net.hidden(clips, samples).any(2).float().mean((0, 1))
        share[net.guided] = (hidden[:5].mean(), hidden[5:].mean())
        assert hidden.sum() == pytest.approx(5.5, abs=0.8)  # 1 to 10 of 20 joints
    assert share[0][0] == pytest.approx(float(share[0][1]), abs=0.08)
    assert share[1][0] > 2 * share[1][1]


@pytest.mark.parametrize('permuted', [False, True])
def test_the_second_network_learns_without_the_focus_of_the_first(permuted, monkeypatch):
    from mmaction.registry import MODELS
    from mmaction.structures import ActionDataSample

    torch.manual_seed(0)
    backbone = dict(type='MSG3DBackbone', graph_cfg=dict(layout='kinect20'), base_channels=6)
    backbone.update(num_person=1, num_gcn_scales=1, num_g3d_scales=1)
    cfg = dict(type='FocusHidingEnsemble', backbone=backbone, permuted=permuted, p=1)
    cfg.update(cls_head=dict(type='STFHead', num_classes=3, in_channels=24))
    net = MODELS.build(cfg).train()
    clips = torch.rand(6, 1, 1, 8, 20, 3)
    samples = [ActionDataSample().set_gt_label(i % 3) for i in range(6)]
    labels = torch.tensor([[i % 3] for i in range(6)])
    before = {k: v.clone() for k, v in net.state_dict().items()}
    rest = net.rest(clips[:, 0], samples)
    # The training mode's own batch statistics, which a copy computes as well.
    focus = copy.deepcopy(net.lead).focus(clips[:, 0], labels)['focus'][:, 0]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    masked = (clips[:, 0] - rest) / clips[:, 0]
    order = 'sorted' if permuted else 'same'
    seen = {'sorted': lambda maps: maps.sum((0, 1, 2)).sort()[0], 'same': lambda maps: maps}[order]
    torch.testing.assert_close(seen(masked[..., 0]), seen(focus), rtol=1e-4, atol=1e-5)
    assert permuted == (not torch.allclose(masked[..., 0], focus, atol=1e-3))

    read = {}
    for name, member in net.members.items():
        own = member.loss
        monkeypatch.setattr(
            member, 'loss', lambda x, s, own=own, name=name: read.update({name: x}) or own(x, s)
        )
    losses = net.loss(clips, samples)
    assert {'first.loss_cls', 'second.loss_cls'} <= set(losses)
    assert torch.equal(read['first'], clips) and not torch.equal(read['second'], clips)
    net.p = 0
    net.loss(clips, samples)
    assert torch.equal(read['second'], clips)
    assert net.eval()(clips).shape == (6, 3)  # what is tested is whole


@pytest.mark.parametrize('path', sorted(table.TABLES.glob('*.yml')), ids=lambda path: path.stem)
def test_every_row_of_every_table_can_be_built(path):
    from mmaction.registry import MODELS

    init_default_scope('mmaction')
    rows, keys = table.Table(path), set()
    for row in rows.rows:
        for dataset, entry in rows.sets.items():
            of = (row, dataset, next(iter(entry['splits'])), rows.seeds[0])
            cell = rows.cell(*of)
            assert rows.cell(*of).key == cell.key  # the options are as before
            keys.add(cell.key)
        if isinstance(cell, table.Run):
            net = MODELS.build(cell.config.model)
            assert net.lead.backbone.layout.num_node in (13, 15, 20, 22)
            train = cell.config.train_dataloader.dataset
            kinds = [step['type'] for step in train.pipeline]
            assert kinds.index('RandomJointErasing') == 3  # the place that options name
            erases = train.pipeline[3]['p'] > 0
            assert erases or hasattr(net, 'guided') or 'not augmented' in row
    assert len(keys) == len(rows.rows) * len(rows.sets)


def test_the_page_is_what_the_lines_say(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['report.py', '--check'])
    tool = str(ROOT / 'tools/experiments/report.py')
    runpy.run_path(tool, run_name='__main__')
    monkeypatch.setattr(report, 'markdown', lambda *_: 'something else')
    with pytest.raises(SystemExit, match='does not match the result lines'):
        runpy.run_path(tool, run_name='__main__')
