"""A newcomer's walk: the README's five changes to a config of MMAction2."""

import pickle

import numpy as np
import pytest
import torch
from helpers.documents import Document
from helpers.tools import tool as run_tool
from mmaction.registry import MODELS
from mmengine.config import Config

NETWORK = [
    'model.backbone.base_channels=12',
    'model.cls_head.in_channels=48',
    'model.cls_head.num_classes=3',
]
CPU = [
    f'{loader}_dataloader.{key}'
    for loader in ('train', 'val', 'test')
    for key in ('num_workers=0', 'persistent_workers=False')
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """The README's example as a config, and clips as in ntu60_3d.pkl."""
    folder = tmp_path_factory.mktemp('newcomer')
    (example,) = Document('README.md').python
    (folder / 'mine.py').write_text(example)
    rng = np.random.default_rng(0)
    clips, split = [], dict(xsub_train=[], xsub_val=[])
    for i in range(20):
        wave = np.sin(np.arange(30 + i) * (i % 3 + 1) / 5)[:, None, None]
        points = rng.normal(size=(1 + i % 2, 30 + i, 25, 3)) + wave
        name = f'S001C001P001R001A{i:03d}'
        clips.append(
            dict(frame_dir=name, label=i % 3, total_frames=30 + i, keypoint=points.astype('f4'))
        )
        split['xsub_train' if i < 14 else 'xsub_val'].append(name)
    with open(folder / 'ntu60_3d.pkl', 'wb') as file:
        pickle.dump(dict(split=split, annotations=clips), file)
    return folder


def tool(name, folder, *words, options=()):
    data = [
        f'{loader}_dataloader.dataset.{key}={folder}/ntu60_3d.pkl'
        for loader, key in (
            ('train', 'dataset.ann_file'),
            ('val', 'ann_file'),
            ('test', 'ann_file'),
        )
    ]
    out = run_tool(
        f'{name}.py',
        folder / 'mine.py',
        *words,
        '--cfg-options',
        *NETWORK,
        *CPU,
        *data,
        *options,
    )
    assert out.returncode == 0, out.stderr[-2000:]
    return out.stdout + out.stderr


def changes(base, mine, name=''):
    """Settings that differ: a leaf, or what is new, each once."""
    for key in base.keys() | mine.keys():
        old, new = base.get(key), mine.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from changes(old, new, f'{name}{key}.')
        elif old != new:
            yield f'{name}{key}'


def test_the_readme_changes_five_lines(folder):
    """Four, and one for a loss."""
    example = (folder / 'mine.py').read_text()
    (folder / 'base.py').write_text(example.splitlines()[0])
    base, mine = (Config.fromfile(folder / f'{name}.py').to_dict() for name in ('base', 'mine'))
    changed = set(changes(base, mine))
    assert changed == {
        'custom_imports',
        'custom_hooks',
        'model.type',
        'model.cls_head.type',
        'model.cls_head.loss_divergence',
    }
    lines = [
        line
        for line in example.splitlines()[1:]
        if line.strip() and not line.endswith('=dict(') and not line.endswith(' = dict(')
    ]
    assert len(lines) == len(changed) == 5
    assert 'change five lines' in Document('README.md').text


def test_from_a_stock_checkpoint_to_a_picture(folder):
    cfg = Config.fromfile(folder / 'mine.py')
    cfg.model.backbone.base_channels = 12
    cfg.model.cls_head.update(in_channels=48, num_classes=3)
    stock = dict(
        cfg.model,
        type='RecognizerGCN',
        cls_head=dict(type='GCNHead', num_classes=3, in_channels=48),
    )
    torch.save(MODELS.build(stock).state_dict(), folder / 'stock.pth')
    log = tool(
        'train',
        folder,
        '--work-dir',
        folder / 'run',
        options=[
            'train_cfg.max_epochs=2',
            'custom_hooks.0.warmup_epochs=1',
            'train_dataloader.batch_size=7',
            'train_dataloader.dataset.times=1',
            'default_hooks.logger.interval=1',
            f'load_from={folder}/stock.pth',
        ],
    )
    first, second = (
        next(line for line in log.splitlines() if f'[{epoch}][2/2]' in line) for epoch in (1, 2)
    )
    losses = [key for key in cfg.model.cls_head if key.startswith('loss_')]
    assert losses and 'loss_cls' in first
    for key in losses:
        assert key in second and key not in first
    assert 'The model and loaded state dict do not match' not in log
    weights = folder / 'run/epoch_2.pth'
    assert 'acc/top1' in tool('test', folder, weights)
    tool('visualize_focus', folder, weights, '--out', folder / 'focus.png')
    assert (folder / 'focus.png').read_bytes()[:4] == b'\x89PNG'
