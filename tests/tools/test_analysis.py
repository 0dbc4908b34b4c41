"""Charts of results, and the numbers beside them, against values by hand."""

import csv
import json
import pickle
import runpy
import sys

import numpy as np
import pytest
import torch
from helpers.tools import ROOT, load

NAMES = ['wave', 'sit, down', 'cost $5 $', '跳']
# Label and predicted class of each clip: waves are taken for jumps twice.
CLIPS = [(0, 0), (0, 3), (0, 3), (1, 1), (1, 1), (1, 0), (3, 3)]
BETTER = [(0, 0), (0, 0), (0, 3), (1, 1), (1, 0), (1, 0), (3, 3)]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Run a tool in a folder of its own; what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(name, *arguments):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        path = ROOT / 'tools/analysis' / f'{name}.py'
        try:
            runpy.run_path(str(path), run_name='__main__')
        except SystemExit as error:
            return f'{error} {capsys.readouterr().err}'
        return capsys.readouterr().out

    return run


def dump(path, clips, **more):
    samples = []
    for number, (label, predicted) in enumerate(clips):
        scores = torch.full((len(NAMES),), 0.1)
        scores[predicted] = 0.7
        name = f'clip{number}'
        samples.append(
            dict(pred_score=scores, gt_label=torch.tensor([label]), frame_dir=name, **more)
        )
    path.write_bytes(pickle.dumps(samples))
    return path


def table(path):
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.reader(file))


def test_confused_pairs_are_named(call, tmp_path):
    scores = dump(tmp_path / 'a.pkl', CLIPS, classes=np.array(NAMES))
    out = call('confusion_matrix', scores, '--out', 'new/matrix.svg', '--pairs', 1)
    assert '7 clips, 57.14 % correct' in out
    assert ' 66.7 % of wave taken for 跳 (2)\nwrote' in out
    header, *rows = table(tmp_path / 'new/matrix.csv')
    assert header == ['true', 'predicted', 'clips', 'share_of_class']
    assert rows == [['wave', '跳', '2', '66.6667'], ['sit, down', 'wave', '1', '33.3333']]
    first = (tmp_path / 'new/matrix.svg').read_bytes()
    assert b'<svg' in first
    call('confusion_matrix', scores, '--out', 'again.svg')
    assert (tmp_path / 'again.svg').read_bytes() == first


def test_report_of_each_class(call, tmp_path):
    scores = dump(tmp_path / 'a.pkl', CLIPS)
    (tmp_path / 'names.txt').write_text('\n'.join(NAMES), encoding='utf-8')
    out = call('per_class', scores, '--class-names', 'names.txt')
    assert 'wrote per_class.png and per_class.csv' in out
    header, *rows = table(tmp_path / 'per_class.csv')
    assert header == ['class', 'clips', 'recall', 'precision', 'f1', 'taken_for']
    # recall 1/3, precision 1/2, their harmonic mean 2/5; the third class has no clip
    assert rows == [
        ['wave', '3', '33.3333', '50.0000', '40.0000', '跳'],
        ['sit, down', '3', '66.6667', '100.0000', '80.0000', 'wave'],
        ['跳', '1', '100.0000', '33.3333', '50.0000', ''],
    ]
    assert (tmp_path / 'per_class.png').read_bytes()[:4] == b'\x89PNG'


def test_gains_are_sorted(call, tmp_path):
    better, scores = dump(tmp_path / 'b.pkl', BETTER), dump(tmp_path / 'a.pkl', CLIPS)
    out = call('per_class', better, '--versus', scores, '--out', 'gain.png')
    assert 'classes: 1 gain, 1 lose, 1 stay the same' in out
    header, *rows = table(tmp_path / 'gain.csv')
    assert header == ['class', 'clips', 'recall', 'recall_versus', 'gain']
    assert rows == [
        ['class 0', '3', '66.6667', '33.3333', '33.3333'],
        ['class 3', '1', '100.0000', '100.0000', '0.0000'],
        ['class 1', '3', '33.3333', '66.6667', '-33.3333'],
    ]
    other = dump(tmp_path / 'c.pkl', CLIPS[:-1])
    assert 'lacks 1 clips' in call('per_class', better, '--versus', other)


def test_either_end_of_many_classes():
    shown = load(ROOT / 'tools/analysis/per_class.py').shown
    assert shown(list(range(9)), 2) == [0, 1, 7, 8]
    assert shown(list(range(3)), 2) == shown(list(range(3)), None) == [0, 1, 2]


LOG = [
    dict(loss=3.0, epoch=1, iter=2, step=2),
    dict(loss=2.0, epoch=1, iter=4, step=4),
    {'acc/top1': 0.25, 'step': 1},
    dict(loss=1.0, epoch=2, iter=8, step=8),
    {'acc/top1': 0.5, 'step': 2},
]


def test_curves_have_epochs_below_them(call, tmp_path):
    for run, scale in (('a', 1), ('b', 2)):
        folder = tmp_path / run / '20260101_000000/vis_data'
        folder.mkdir(parents=True)
        lines = [{k: v * scale if k == 'loss' else v for k, v in line.items()} for line in LOG]
        (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    assert 'wrote curves.png and curves.csv' in call('curves', 'a', 'b')
    header, *rows = table(tmp_path / 'curves.csv')
    assert header == ['run', 'key', 'epoch', 'value']
    assert [row for row in rows if row[:2] == ['b', 'loss']] == [
        ['b', 'loss', '0.5000', '6.0000'],
        ['b', 'loss', '1.0000', '4.0000'],
        ['b', 'loss', '2.0000', '2.0000'],
    ]
    assert [row[2:] for row in rows if row[:2] == ['a', 'acc/top1']] == [
        ['1.0000', '0.2500'],
        ['2.0000', '0.5000'],
    ]
    assert "--keys lost is in no log: use some of ['acc/top1'" in call(
        'curves', 'a', '--keys', 'lost'
    )
    (tmp_path / 'x.json').write_text('{"loss": 1}\nnot json')
    assert 'x.json is not a log of MMEngine: line 1 has no step' in call('curves', 'x.json')
    assert 'gone does not exist' in call('curves', 'gone')
    assert 'must end in .png' in call('curves', 'a', '--out', 'a.txt')


def write_log(folder, lines, ending='\n'):
    folder.mkdir(parents=True)
    text = '\n'.join(map(json.dumps, lines)) + ending
    (folder / 'scalars.json').write_text(text)


def places(path, key):
    return [row[2:] for row in table(path)[1:] if row[1] == key]


def test_curves_of_a_training_that_was_resumed(call, tmp_path):
    """Killed in iteration 9, resumed after 4; before them a training that began anew."""
    trained = [dict(loss=9.0 - i, epoch=(i + 3) // 4, iter=i, step=i) for i in range(1, 13)]
    write_log(tmp_path / 'a/20260101/vis_data', [dict(line, loss=99.0) for line in trained])
    first = [*trained[:4], {'acc/top1': 0.5, 'step': 1}, *trained[4:8]]
    write_log(tmp_path / 'a/20260102/vis_data', first, '\n{"loss": 4, "st')
    write_log(tmp_path / 'a/20260103/vis_data', trained[4:])
    call('curves', 'a')
    losses = places('curves.csv', 'loss')
    assert losses == [[f'{i / 4:.4f}', f'{9 - i:.4f}'] for i in range(1, 13)]
    assert places('curves.csv', 'acc/top1') == [['1.0000', '0.5000']]


def test_curves_by_iterations(call, tmp_path):
    """MMEngine's loop of iterations counts validations by epochs, of which there is none."""
    log = [
        dict(loss=3.0, iter=2, step=2),
        dict(loss=2.0, iter=4, step=4),
        {'acc/top1': 0.25, 'step': 0},
        {'acc/top1': 0.5, 'step': 6},
    ]
    write_log(tmp_path / 'i/20260101/vis_data', log)
    write_log(tmp_path / 'j/20260101/vis_data', [dict(line, epoch=1) for line in log[:2]] + log[2:])
    call('curves', 'j')
    assert places('curves.csv', 'loss') == [['2.0000', '3.0000'], ['4.0000', '2.0000']]
    call('curves', 'i')
    assert table('curves.csv')[0] == ['run', 'key', 'iteration', 'value']
    assert places('curves.csv', 'loss') == [['2.0000', '3.0000'], ['4.0000', '2.0000']]
    assert places('curves.csv', 'acc/top1') == [['4.0000', '0.2500'], ['6.0000', '0.5000']]
    write_log(tmp_path / 'e/20260101/vis_data', LOG)
    assert 'no common axis, i counts iterations, e counts epochs' in call('curves', 'i', 'e')


def test_embedding_of_features(call, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 3], 5)
    features = rng.normal(size=(15, 8)) * 0.1 + np.eye(8)[labels] * 5
    arrays = dict(features=features, labels=labels, ids=np.array([f'clip{i}' for i in range(15)]))
    np.savez(tmp_path / 'f.npz', classes=np.array(NAMES), **arrays)
    assert 'wrote embedding.png and embedding.csv' in call('embedding', 'f.npz')
    header, *rows = table(tmp_path / 'embedding.csv')
    assert header == ['clip', 'label', 'class', 'x', 'y']
    assert rows[7][:3] == ['clip7', '1', 'sit, down']
    points = np.array([row[3:] for row in rows], dtype=float)
    # In two dimensions three classes lie as far apart as in eight.
    assert np.linalg.norm(points[0] - points[5]) == pytest.approx(5 * 2**0.5, rel=0.1)
    assert np.linalg.norm(points[0] - points[1]) < 1
    if pytest.importorskip('sklearn'):
        assert 'wrote t.svg' in call('embedding', 'f.npz', '--method', 'tsne', '--out', 't.svg')
        # Features that are the same crash scikit-learn's own start, a single one is too few.
        np.savez(tmp_path / 'g.npz', **dict(arrays, features=np.ones((15, 8))))
        assert 'all have the same features' in call('embedding', 'g.npz', '--method', 'tsne')
        np.savez(tmp_path / 'g.npz', **dict(arrays, features=features[:, :1]))
        assert 'wrote t.svg' in call('embedding', 'g.npz', '--method', 'tsne', '--out', 't.svg')
    np.savez(tmp_path / 'g.npz', features=features)
    assert "lacks ['labels', 'ids']" in call('embedding', 'g.npz')
    (tmp_path / 'h.npz').write_bytes(b'no archive')
    assert 'h.npz is not a file of tools/test.py --features' in call('embedding', 'h.npz')


def test_pca_of_one_clip_and_one_feature():
    components = load(ROOT / 'tools/analysis/embedding.py').principal_components
    assert (components(np.ones((1, 4))) == 0).all()
    np.testing.assert_allclose(np.abs(components(np.array([[1.0], [3]]))), [[1, 0], [1, 0]])


def test_faithfulness_of_a_small_network(call, tmp_path):
    """The demo's untrained network on few clips: shapes of the tables, and who fails the check."""
    config = ROOT / 'configs/stf_msg3d_demo_j.py'
    from mmengine.config import Config

    from stf_mmaction.engine.inference import load_model

    cfg = Config.fromfile(config)
    cfg.test_dataloader.dataset.ann_file = str(ROOT / 'tools/demo_data/ui_prmd_tiny.pkl')
    cfg.dump(tmp_path / 'config.py')
    torch.manual_seed(7)
    _, model = load_model(cfg, None)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'weights.pth')
    (tmp_path / 'parts.json').write_text(json.dumps({str(k): [8, 9, 10, 11] for k in range(10)}))
    out = call(
        *('faithfulness', 'config.py', 'weights.pth', '--num-clips', 4, '--steps', 2),
        *('--methods', 'focus', 'motion', '--parts', 'parts.json', '--member', 'explore'),
    )
    assert 'pointing by chance: 0.200, on 4 clips' in out, out
    header, *rows = table('faithfulness_table.csv')
    assert header[:2] == ['method', 'deletion'] and [row[0] for row in rows] == ['focus', 'motion']
    motion = dict(zip(header, rows[1]))
    assert motion['random_weights'] == motion['random_head'] == '1.0000'  # it asks no network
    assert float(dict(zip(header, rows[0]))['random_head']) < 0.9
    points = table('faithfulness.csv')[1:]
    assert [row[2] for row in points[:3]] == ['0.0000', '0.5000', '1.0000']
    ends = {(row[0], row[1], row[2]): row[3] for row in points}
    # A whole clip and an empty one are the same whatever the map.
    assert ends['focus', 'deletion', '0.0000'] == ends['motion', 'insertion', '1.0000']
    assert ends['focus', 'deletion', '1.0000'] == ends['motion', 'insertion', '0.0000']
    (tmp_path / 'parts.json').write_text('{"11": [1]}')
    refused = call('faithfulness', 'config.py', 'weights.pth', '--parts', 'parts.json')
    assert "class '11' is not a number from 0 to 9" in refused
    refused = call('faithfulness', 'config.py', 'weights.pth', '--member', 'third')
    assert "its members are ['focus', 'explore']" in refused
