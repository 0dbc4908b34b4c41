"""From raw files to a pickle, and from there into a network."""

import re
import runpy
from unittest import mock

import pytest
from helpers.data_tools import ROOT, run_tool, write_kinetics, write_ntu


def ntu(raw, out):
    write_ntu(
        raw,
        [
            f'S001C00{camera}P00{subject}R001A00{action}'
            for camera in (1, 2)
            for subject in (1, 3)
            for action in (1, 2)
        ],
    )
    run_tool('ntu.py', 60, raw, out)


def kinetics(raw, out):
    write_kinetics(raw, train=dict(a0=0, b1=1, c2=2, d0=0), val=dict(e1=1, f2=2))
    run_tool('kinetics.py', raw, out)


@pytest.mark.parametrize(
    'convert, config, length',
    [
        (ntu, 'msg3d_ntu60_xsub_j', 300),
        (kinetics, 'msg3d_k400_j', 60),
    ],
)
def test_a_network_trains_on_it(tmp_path, convert, config, length):
    path = tmp_path / 'data.pkl'
    convert(tmp_path / 'raw', path)
    options = [
        'model.backbone.base_channels=6',
        'model.backbone.num_gcn_scales=2',
        'model.backbone.num_g3d_scales=1',
        'model.cls_head.in_channels=24',
        'train_cfg.max_epochs=1',
        'default_hooks.logger.interval=1',
    ]
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        options += [
            f'{loader}.dataset.ann_file={path}',
            f'{loader}.dataset.pipeline.3.length={length}',
            f'{loader}.num_workers=0',
            f'{loader}.persistent_workers=False',
            f'{loader}.batch_size=4',
        ]
    argv = [
        'train.py',
        str(ROOT / f'configs/{config}.py'),
        '--work-dir',
        str(tmp_path),
        '--seed',
        '0',
        '--cfg-options',
        *options,
    ]
    # Makes configs look nicer, and takes most of a small run.
    plain = mock.patch('mmengine.config.config.FormatCode', lambda text, **_: (text, True))
    with plain, mock.patch('sys.argv', argv):
        runpy.run_path(str(ROOT / 'tools/train.py'), run_name='__main__')
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert re.search(r'loss_cls: \d', log) and re.search(r'acc/top1: \d', log)
    assert (tmp_path / 'epoch_1.pth').is_file()
