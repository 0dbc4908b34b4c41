"""Arguments that cannot be meant: each tool ends in one sentence, before it works for long."""

import numpy as np
import pytest
import torch
from helpers.tools import TOOLS, load
from mmengine.config import Config

from stf_mmaction.engine import cli
from stf_mmaction.engine.config_file import check_sections, merge_options, read_config
from stf_mmaction.engine.inference import check_device
from stf_mmaction.files import os_error_sentence
from stf_mmaction.visualization import DrawnClip, draw_clips, saving
from stf_mmaction.visualization.charts import (
    LineChart,
    bar_chart,
    confusion_chart,
    line_charts,
    save_chart,
)

LONG = 'x' * 300

# (tool, arguments, a part of what is said); c.py, w.pth and folder exist.
CASES = [
    ('train.py', 'c.py --seed -1', 'must be a whole number from 0'),
    ('train.py', 'c.py --seed 4294967296', 'must be a whole number from 0'),
    ('train.py', 'c.py --seed one', 'must be a whole number from 0'),
    ('train.py', 'c.py --cfg-options lr', "'lr' is not of the form key=value"),
    ('train.py', 'c.py --cfg-options =3', "'=3' is not of the form key=value"),
    ('train.py', 'c.py --cfg-options a=[1,2', 'Imbalanced brackets'),
    ('train.py', 'c.py --cfg-options list.7.a=1', '--cfg-options list.7.a do not fit'),
    ('train.py', 'c.py --cfg-options model.type.a=1', 'type is a dict in your config'),
    ('train.py', 'c.py --launcher pytorch', 'needs RANK in the environment'),
    ('train.py', 'c.py --launcher slurm', 'needs SLURM_PROCID in the environment'),
    ('train.py', 'c.py --launcher mpi', 'needs OMPI_COMM_WORLD_RANK in the environment'),
    ('train.py', 'c.py --work-dir w.pth', 'a part of its path is a file'),
    ('train.py', f'c.py --work-dir {LONG}', 'the name is too long'),
    ('train.py', f'{LONG}.py', 'the name is too long'),
    ('train.py', 'folder', 'file folder does not exist'),
    ('train.py', 'w.pth', 'config w.pth must end in .py, .json, .yaml or .yml'),
    ('train.py', 'empty.py', 'lacks model'),
    ('train.py', 'model.py', 'lacks train_dataloader, optim_wrapper, which a training needs'),
    ('train.py', 'amp.py', 'optim_wrapper.type=AmpOptimWrapper needs a GPU'),
    ('train.py', 'c.py --resume folder', 'file folder does not exist'),
    ('train.py', 'c.py --resume w.pth', 'is not a checkpoint of a training'),
    ('test.py', 'model.py w.pth', 'lacks test_dataloader, test_evaluator, which a test needs'),
    ('test.py', 'c.py folder', 'file folder does not exist'),
    ('test.py', 'c.py w.pth --wait-time -1', '--wait-time -1.0 must be 0 or more'),
    ('test.py', 'c.py w.pth --wait-time nan', '--wait-time nan must be 0 or more'),
    ('test.py', 'c.py w.pth --interval -1', '--interval -1 must be at least 1'),
    ('test.py', 'c.py w.pth --dump folder', '--dump folder must end in .pkl'),
    ('test.py', 'c.py w.pth --features x.np', '--features x.np must end in .npz'),
    ('visualize_focus.py', 'c.py w.pth --num-clips -3', '-3 must be at least 1'),
    ('visualize_focus.py', 'c.py w.pth --num-clips 0', '0 must be at least 1'),
    ('visualize_focus.py', 'c.py w.pth --fps 0', '0 must be at least 1'),
    ('visualize_focus.py', 'c.py w.pth --out x.xyz', 'x.xyz must end in .png'),
    ('visualize_focus.py', f'c.py w.pth --out {LONG}.png', 'the name is too long'),
    ('visualize_focus.py', 'c.py w.pth --out w.pth/x.png', 'a part of its path is a file'),
    ('visualize_focus.py', 'c.py w.pth --html w.pth/x.html', 'a part of its path is a file'),
    ('visualize_focus.py', 'c.py w.pth --html folder.html', 'it is a folder: name a file'),
    ('visualize_focus.py', 'c.py w.pth --device gpu', "device 'gpu' cannot be used"),
    ('visualize_focus.py', 'c.py w.pth --device meta', "device 'meta' cannot be used"),
    ('visualize_focus.py', 'c.py w.pth --device cuda:99', "device 'cuda:99' cannot be used"),
    ('visualize_focus.py', 'c.py w.pth --class-names folder', 'file folder does not exist'),
    ('export_onnx.py', 'c.py w.pth --tolerance nan', '--tolerance nan must be 0 or more'),
    ('export_onnx.py', 'c.py w.pth --shape 1 1 0 5 3', '0 must be at least 1'),
    ('export_onnx.py', 'c.py w.pth --out folder', 'it is a folder: name a file'),
    ('get_flops.py', 'c.py --shape 1 1 -9 5 3', '-9 must be at least 1'),
    ('get_flops.py', 'empty.py', 'lacks model'),
    ('browse_dataset.py', 'c.py --out x.xyz', 'x.xyz must end in .png'),
    ('browse_dataset.py', 'c.py --out folder', 'folder must end in .png'),
    ('browse_dataset.py', 'c.py --seed -1', 'must be a whole number from 0'),
    ('browse_dataset.py', 'c.py --out w.pth/x.png', 'a part of its path is a file'),
    ('browse_dataset.py', 'empty.py', 'the config names no layout'),
    ('benchmark.py', 'c.py --device gpu', "device 'gpu' cannot be used"),
    ('publish_model.py', 'weights.pth folder', 'folder is a folder: add the name'),
    ('publish_model.py', 'weights.pth new/', 'new/ is a folder: add the name'),
    ('publish_model.py', 'w.pth x', 'has no state_dict'),
    ('publish_model.py', 'c.py x', 'is not a file of torch.save'),
    ('fuse_scores.py', 'w.pth --weights nan', 'must be finite'),
    ('fuse_scores.py', 'w.pth --weights -1', 'must be finite and not negative'),
    ('fuse_scores.py', 'w.pth', 'was not read as a pickle'),
    ('fuse_scores.py', 'folder', 'file folder does not exist'),
    ('analysis/embedding.py', 'w.pth --out x.xyz', 'x.xyz must end in .png'),
    ('analysis/embedding.py', 'w.pth --seed -1', 'must be a whole number from 0'),
    ('analysis/embedding.py', 'w.pth', 'is not a file of tools/test.py --features'),
    ('analysis/curves.py', 'folder', 'holds no vis_data/scalars.json'),
    ('analysis/curves.py', 'w.pth', 'w.pth is not a log of MMEngine'),
    ('analysis/confusion_matrix.py', 'w.pth --pairs -1', '-1 must be at least 1'),
    ('analysis/confusion_matrix.py', 'w.pth --out folder', 'must end in .png'),
    ('analysis/per_class.py', 'w.pth --most 0', '0 must be at least 1'),
    ('analysis/faithfulness.py', 'c.py w.pth --seed -1', 'must be a whole number from 0'),
    ('analysis/faithfulness.py', 'c.py w.pth --out w.pth/x.png', 'a part of its path is a file'),
]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('STF_TRACEBACK', raising=False)
    for rank in ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'):
        monkeypatch.delenv(rank, raising=False)
    monkeypatch.setenv('LOCAL_RANK', '0')
    (tmp_path / 'c.py').write_text(
        'model = dict(type="Nothing")\n'
        'train_dataloader = test_dataloader = optim_wrapper = test_evaluator = dict()\n'
        'list = [dict(a=1)]\nlayout = "coco"\n'
    )
    (tmp_path / 'empty.py').write_text('')
    (tmp_path / 'amp.py').write_text(
        'model = train_dataloader = dict()\noptim_wrapper = dict(type="AmpOptimWrapper")'
    )
    (tmp_path / 'model.py').write_text('model = dict(type="Nothing")')
    torch.save(dict(meta={}), tmp_path / 'w.pth')
    torch.save(dict(state_dict={}), tmp_path / 'weights.pth')
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'folder.html').mkdir()


@pytest.mark.parametrize('tool, arguments, sentence', CASES)
def test_an_argument_is_refused(files, monkeypatch, capsys, tool, arguments, sentence):
    if ('cuda' in arguments or 'amp.py' in arguments) and torch.cuda.is_available():
        pytest.skip('for machines without a GPU')
    monkeypatch.setattr('sys.argv', [tool, *arguments.split()])
    monkeypatch.syspath_prepend(str((TOOLS / tool).parent))
    module = load(TOOLS / tool)
    with pytest.raises(SystemExit) as stop:
        cli.run(module.main)
    if stop.value.code == 2:  # argparse
        said = capsys.readouterr().err.splitlines()[-1]
    else:
        said = str(stop.value)
        assert said.startswith('error: ') and '\n' not in said
    assert sentence in said and len(said) < 1000


@pytest.mark.parametrize('device', ['', 'cpu:x', 'tpu', 'meta', 'CPU', 'cuda:-1'])
def test_a_device_that_cannot_compute(device):
    with pytest.raises(ValueError, match='cannot be used'):
        check_device(device)


def test_half_of_a_training_is_named(tmp_path):
    with pytest.raises(ValueError, match='has val_cfg but lacks val_dataloader and val_evaluator'):
        check_sections(Config(dict(model=1, val_cfg=dict(type='ValLoop'))))
    check_sections(Config(dict(model=1, val_cfg=None)))
    wrapper = dict(type='MMFullyShardedDataParallel', auto_wrap_policy='size')
    for cfg in (dict(model_wrapper_cfg=wrapper), dict(strategy=dict(model_wrapper=wrapper))):
        with pytest.raises(ValueError, match='shards the network as a whole, or use DDP'):
            check_sections(Config(cfg))
    path = tmp_path / 'c.py'
    path.write_text('a = [dict(b=1)]')
    cfg = read_config(path)
    merge_options(cfg, {'a.0.b': 2})
    assert cfg.a == [dict(b=2)]


def test_a_class_that_does_not_know_an_argument():
    from mmaction.registry import MODELS

    head = dict(type='STFHead', num_classes=3, in_channels=4, losses=1)
    with pytest.raises(SystemExit, match="error: .*'losses': correct that part of the config"):
        cli.run(lambda: MODELS.build(head))


NAMES = [r'$\frac{$', '$a$b$', 'x' * 300, 'a\nb\x00c', '\udcff', '%s{}', '跳']


def test_names_that_look_like_formulas(tmp_path):
    count = len(NAMES)
    rows = [[name, 1] for name in NAMES]
    lines = {name: [0, 1] for name in NAMES}
    charts = [
        bar_chart(NAMES, range(count), 'x'),
        confusion_chart(np.eye(count), NAMES),
        line_charts([LineChart(lines, lines, NAMES[:2], NAMES[0])]),
    ]
    for ending in ('.png', '.svg', '.pdf'):
        for number, chart in enumerate(charts):
            save_chart(chart, tmp_path / f'{number}{ending}', ['name', 'value'], rows)
    text = (tmp_path / '0.csv').read_text(encoding='utf-8')
    assert r'$\frac{$' in text and r'\udcff' in text
    clip = DrawnClip(np.zeros((1, 2, 5, 3)), np.ones((1, 2, 5)), ' '.join(NAMES))
    from helpers.networks import STAR

    from stf_mmaction.datasets import get_layout

    draw_clips([clip], get_layout(STAR)).savefig(tmp_path / 'clips.png')


def test_a_picture_that_no_viewer_shows():
    with pytest.raises(ValueError, match='draw fewer clips or classes'):
        saving.check_size(bar_chart(['a'] * 2000, [0] * 2000, 'x'))


def test_errors_of_files_without_a_name():
    assert 'no space is left' in os_error_sentence(OSError(28, 'No space left on device'))
