"""A hand, two persons, 2D with visibility: real data sets through the config of the docs."""

import runpy
from pathlib import Path

import pytest
from helpers import ROOT, tiny
from helpers.documents import Document
from mmengine.config import Config
from PIL import Image

from stf_mmaction import STFInferencer
from stf_mmaction.datasets import safe_load
from stf_mmaction.engine.inference import build_test_dataset, focus_of_clip, load_model

DATA = ROOT.parent / 'shared/data'
# Layout, persons, and channels with visibility.
SETS = dict(shrec17=('shrec_hand', 1, 4), sbu=('sbu', 2, 4), penn_action=('penn_action', 1, 3))
SMALL = {
    'model.shared.backbone.base_channels': 6,
    'model.shared.backbone.num_gcn_scales': 3,
    'model.shared.backbone.num_g3d_scales': 2,
    'model.shared.cls_head.in_channels': 24,
    'train_cfg.max_epochs': 2,
    'train_cfg.val_interval': 9,
    'custom_hooks.0.warmup_epochs': 1,
    **{
        f'{name}_dataloader.{key}': value
        for name in ('train', 'val', 'test')
        for key, value in (('num_workers', 0), ('persistent_workers', False), ('batch_size', 4))
    },
}


def follow_the_docs(folder, data, layout, persons, channels, classes):
    """The example of docs/custom_skeleton.md with what it tells to change; returns its path."""
    text = Document('docs/custom_skeleton.md').python[0]
    for old, new, times in (
        ("'_base_/", f"'{ROOT}/configs/_base_/", 3),
        ("'configs/my_layout.json'", repr(layout), 1),
        ("'data/skeleton/mine.pkl'", repr(str(data)), 1),
        ('num_person=1', f'num_person={persons}', 3),
        ('in_channels=4,', f'in_channels={channels},', 1),
        ('num_classes=10', f'num_classes={classes}', 1),
        ('clip_len=64', 'clip_len=12', 2),  # to be fast
    ):
        assert text.count(old) == times, old
        text = text.replace(old, new)
    path = folder / 'mine.py'
    path.write_text(text)
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(SMALL)
    cfg.dump(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize('name', SETS)
def test_a_set_trains_tests_draws_and_exports(name, tmp_path, monkeypatch, capsys):
    source = DATA / f'{name}.pkl'
    if not source.is_file():
        pytest.skip(f'{source} is not available')
    pytest.importorskip('onnxruntime')
    layout, persons, channels = SETS[name]
    content = safe_load(source)
    names = content['classes']
    few = content['annotations'][:12]
    data = tiny.write(tmp_path / 'few.pkl', few, classes=names)
    config = follow_the_docs(tmp_path, data, layout, persons, channels, len(names))
    monkeypatch.chdir(tmp_path)

    def tool(path, *words):
        monkeypatch.setattr('sys.argv', [path, *map(str, words)])
        runpy.run_path(str(ROOT / 'tools' / path), run_name='__main__')
        return capsys.readouterr()

    tool('browse_dataset.py', config, '--num-clips', 2, '--out', 'browse.png')
    tool('train.py', config, '--seed', 0)
    checkpoint = Path('work_dirs/mine/epoch_2.pth')
    tool('test.py', config, checkpoint, '--dump', 'scores.pkl')
    scores = safe_load('scores.pkl')
    assert [str(sample['frame_dir']) for sample in scores] == [c['frame_dir'] for c in few[6:]]
    tool('visualize_focus.py', config, checkpoint, '--num-clips', 2, '--out', 'focus.png')
    for picture in ('browse.png', 'focus.png'):
        assert Image.open(picture).convert('L').getextrema()[1] > 200
    tool('export_onnx.py', config, checkpoint, '--out', 'model.onnx', '--dynamic')

    cfg = Config.fromfile(config)
    _, model = load_model(cfg, str(checkpoint))
    shown = focus_of_clip(model, build_test_dataset(cfg), 0)
    assert shown.focus.shape == shown.keypoint.shape[:3] == few[6]['keypoint'].shape[:3]
    assert shown.focus.shape[0] == persons and (shown.focus.max((1, 2)) > 0).all()
    clip = few[6]
    result = STFInferencer(cfg, str(checkpoint))(clip['keypoint'], clip.get('keypoint_score'))
    assert result['class_name'] == names[result['pred_label']]
    assert result['pred_scores'] == pytest.approx(scores[0]['pred_score'].numpy(), abs=1e-6)
