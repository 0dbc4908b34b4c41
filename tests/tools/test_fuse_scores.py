"""Fused scores against a mean by hand."""

import csv
import pickle
import re
import runpy
import sys

import numpy as np
import pytest
import torch
from helpers.tools import ROOT

LABELS = [0, 1, 2, 1, 0, 3, 4, 5]
CLASSES = 7  # The last one has no clip.


def dump(path, seed, order=None, **changes):
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(CLASSES), len(LABELS)).astype('f4')
    samples = [
        dict(
            pred_score=torch.tensor(score),
            gt_label=torch.tensor([label]),
            frame_dir=f'clip{i}',
            **changes,
        )
        for i, (score, label) in enumerate(zip(scores, LABELS))
    ]
    samples = [samples[i] for i in order or range(len(LABELS))]
    path.write_bytes(pickle.dumps(samples))
    return scores.astype('f8'), samples


def fuse(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, 'argv', ['fuse_scores.py', *map(str, arguments)])
    try:
        runpy.run_path(str(ROOT / 'tools/fuse_scores.py'), run_name='__main__')
    except SystemExit as error:
        return str(error) + capsys.readouterr().err
    return capsys.readouterr().out


@pytest.fixture
def call(monkeypatch, capsys):
    return lambda *arguments: fuse(monkeypatch, capsys, *arguments)


def by_hand(scores):
    """Top-1, top-5 and mean class accuracy in %, by loops."""
    hits, top5, classes = 0, 0, {}
    for score, label in zip(scores, LABELS):
        order = sorted(range(CLASSES), key=lambda k: -score[k])
        hits += order[0] == label
        top5 += label in order[:5]
        classes.setdefault(label, []).append(order[0] == label)
    mean = np.mean([np.mean(v) for v in classes.values()])
    return [100 * hits / 8, 100 * top5 / 8, 100 * mean]


def test_fused_is_the_mean_by_hand_of_shuffled_dumps(tmp_path, call):
    one, _ = dump(tmp_path / 'one.pkl', 2)
    two, _ = dump(tmp_path / 'two.pkl', 8, order=[3, 1, 7, 0, 2, 6, 5, 4])
    table = tmp_path / 'classes.csv'
    out = call(tmp_path / 'one.pkl', tmp_path / 'two.pkl', '--per-class', table)
    weighted = call(tmp_path / 'one.pkl', tmp_path / 'two.pkl', '--weights', 3, 1)
    for text, name, scores in (
        (out, 'one.pkl', one),
        (out, 'two.pkl', two),
        (out, 'fused', (one + two) / 2),
        (weighted, 'fused', (3 * one + two) / 4),
    ):
        assert CLASSES - 1 in scores.argmax(1)
        (line,) = re.findall(rf'^{name} .*$', text, re.M)
        assert [float(v) for v in line.split()[1:]] == pytest.approx(by_hand(scores), abs=0.006)
    rows = list(csv.DictReader(table.open()))
    assert [(int(r['class']), int(r['clips'])) for r in rows] == [
        (0, 2),
        (1, 2),
        (2, 1),
        (3, 1),
        (4, 1),
        (5, 1),
    ]
    expected = 100.0 * ((one + two)[5].argmax() == 3)
    assert float(rows[3]['top1']) == expected
    assert np.mean([float(row['top1']) for row in rows]) == pytest.approx(
        by_hand((one + two) / 2)[2], abs=0.006
    )


def change(samples, what):
    if what == 'lacks 1 clips, the first is clip7':
        return samples[:-1]
    if what == 'adds 1 clips, the first is new':
        return samples + [dict(samples[0], frame_dir='new')]
    if what == 'holds clip clip0 twice':
        return samples + samples[:1]
    if what == 'labels clip clip0 as 5':
        return [dict(samples[0], gt_label=torch.tensor([5])), *samples[1:]]
    if what == 'has 8 classes':
        return [dict(s, pred_score=torch.ones(8) / 8) for s in samples]
    if what == 'clip clip0 are not probabilities':
        return [dict(s, pred_score=s['pred_score'] * 2) for s in samples]
    if what == "meta_keys=('frame_dir', )":
        return [{k: v for k, v in s.items() if k != 'frame_dir'} for s in samples]
    if what == 'is not a file of tools/test.py --dump':
        return dict(samples=samples)
    raise KeyError(what)


@pytest.mark.parametrize(
    'what',
    [
        'lacks 1 clips, the first is clip7',
        'adds 1 clips, the first is new',
        'holds clip clip0 twice',
        'labels clip clip0 as 5',
        'has 8 classes',
        'clip clip0 are not probabilities',
        "meta_keys=('frame_dir', )",
        'is not a file of tools/test.py --dump',
    ],
)
def test_what_does_not_fit_is_refused(what, tmp_path, call):
    _, samples = dump(tmp_path / 'one.pkl', 1)
    (tmp_path / 'two.pkl').write_bytes(pickle.dumps(change(samples, what)))
    out = call(tmp_path / 'one.pkl', tmp_path / 'two.pkl')
    assert out.startswith('error: ') and what in out and 'two.pkl' in out
    assert len(out.splitlines()) == 1


def test_nan_and_code_are_refused(tmp_path, call):
    _, samples = dump(tmp_path / 'one.pkl', 1)
    samples[0]['pred_score'] = torch.full((CLASSES,), float('nan'))
    (tmp_path / 'nan.pkl').write_bytes(pickle.dumps(samples))
    assert 'not probabilities' in call(tmp_path / 'nan.pkl')
    (tmp_path / 'evil.pkl').write_bytes(b'cos\nsystem\n(S"echo"\ntR.')
    assert 'it calls ' in call(tmp_path / 'evil.pkl')
    assert 'does not exist' in call(tmp_path / 'none.pkl')


@pytest.mark.parametrize('weights', ['1', '1 2 3', 'nan 1', '1 inf', '0 0', '-1 2', '1e308 1e308'])
def test_weights_that_make_no_mean_are_refused(tmp_path, call, weights):
    for name in ('one.pkl', 'two.pkl'):
        dump(tmp_path / name, 1)
    out = call(tmp_path / 'one.pkl', tmp_path / 'two.pkl', '--weights', *weights.split())
    last = out.splitlines()[-1]
    assert 'error: ' in last and '--weights' in last


@pytest.mark.parametrize(
    'table, sentence',
    [
        ('gone/classes.csv', 'gone does not exist'),
        ('one.pkl', 'one.pkl must end in .csv'),
    ],
)
def test_a_table_that_cannot_be_written_is_told_first(tmp_path, call, table, sentence):
    dump(tmp_path / 'one.pkl', 1)
    before = (tmp_path / 'one.pkl').read_bytes()
    out = call(tmp_path / 'one.pkl', '--per-class', tmp_path / table)
    assert sentence in out.splitlines()[-1] and 'clips' not in out
    assert (tmp_path / 'one.pkl').read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ['one.pkl']


def test_a_table_is_whole_or_the_old_one(tmp_path, call, monkeypatch):
    dump(tmp_path / 'one.pkl', 1)
    table = tmp_path / 'classes.csv'
    table.write_text('old')

    def full(*args, **kwargs):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(csv, 'writer', full)
    said = call(tmp_path / 'one.pkl', '--per-class', table)
    assert f'error: {table} cannot be read or written: no space' in said
    assert table.read_text() == 'old'
    monkeypatch.undo()
    call(tmp_path / 'one.pkl', '--per-class', table)
    assert table.read_text().startswith('class,clips')
    assert {path.name for path in tmp_path.iterdir()} == {'one.pkl', 'classes.csv'}


def test_several_labels_per_clip_are_refused(tmp_path, call):
    _, samples = dump(tmp_path / 'one.pkl', 2)
    samples[2].update(gt_label=torch.tensor([0, 1, 1]), pred_score=torch.tensor([0.2, 0.9, 0.8]))
    (tmp_path / 'one.pkl').write_bytes(pickle.dumps(samples))
    out = call(tmp_path / 'one.pkl')
    assert 'the label of clip clip2 is a list of 3 numbers' in out
