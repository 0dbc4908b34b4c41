"""docs/faq.md, augmentation.md and layouts.md: every command and example is run."""

import ast
import re
import runpy
import shlex
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from helpers import ROOT
from helpers.documents import Document
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

from stf_mmaction.datasets import LAYOUTS, augment, augment_time, safe_load

FAQ = Document('docs/faq.md')
AUGMENTATION = Document('docs/augmentation.md')
LAYOUT_PAGE = Document('docs/layouts.md')
COMMANDS = re.findall(r'^\| .+ \| `(.+)` \|$', FAQ.text, re.M)
DATA = [command for command in COMMANDS if command.startswith('python tools/data/')]
RUN = [command for command in COMMANDS if command not in DATA]
FEW = [f'{loader}_dataloader.dataset.indices=8' for loader in ('train', 'val', 'test')]


def in_process(command):
    """Run a command of the page in this process."""
    words = shlex.split(command)
    assert words.pop(0) == 'python'
    path = ROOT / words[0]
    with mock.patch('sys.argv', words):
        runpy.run_path(str(path), run_name='__main__')


def test_every_row_has_a_command_or_a_page():
    rows = re.findall(r'^\| (?!I want|---)(.+) \|$', FAQ.text, re.M)
    pages = [row for row in rows if not row.endswith('`')]
    assert len(rows) == len(COMMANDS) + len(pages) and len(COMMANDS) > 20
    assert all(re.search(r'\| \[.+\]\(\w+\.md\)$', row) for row in pages)


@pytest.mark.parametrize('command', DATA)
def test_commands_on_raw_files(raw, command):
    in_process(command)
    out = next(word for word in command.split() if word.endswith('.pkl'))
    assert safe_load(out)['annotations']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """The repository as the commands see it; what they write stays out of it."""
    path = tmp_path_factory.mktemp('faq')
    for name in ('configs', 'tools', 'tests'):
        (path / name).symlink_to(ROOT / name)
    return path


def shortened(command):
    """The command on eight clips in one or two epochs, with the networks of the tests."""
    command = re.sub(r'configs/(stf_)?msg3d_demo_', r'tests/configs/\1msg3d_tiny_', command)
    command = re.sub(r'work_dirs/(stf_)?msg3d_demo_', r'work_dirs/\1msg3d_tiny_', command)
    command = command.replace('epoch_30', 'epoch_2').replace('epoch_24', 'epoch_1')
    options = []
    if re.match(r'python tools/(train|test|browse|visualize)', command):
        options += FEW
    if 'tools/train.py' in command:
        is_stf = 'stf_' in command
        options += [f'train_cfg.max_epochs={1 + is_stf}', 'train_cfg.val_interval=9']
        options += ['custom_hooks.0.warmup_epochs=1'] if is_stf else []
    if 'visualize' in command:
        command += ' --num-clips 1'
    if options and '--cfg-options' not in command:
        command += ' --cfg-options'
    return ' '.join([command, *options])


def makers(command):
    """The rows of the page that write what a command reads."""
    config = command.split()[2]
    for other in RUN:
        words = other.split()
        if words[1] == 'tools/train.py' and words[3:] == ['--seed', '0']:
            trains = f'work_dirs/{Path(words[2]).stem}/' in command
            if trains or ('--resume' in command and words[2] == config):
                yield other
        elif words[-2] in ('--dump', '--features') and words[-1] in command.split():
            if other != command:
                yield other


@pytest.fixture(scope='module')
def run_row(folder):
    """Runs a row of the page once, after the rows that it needs."""
    done = set()

    def run(command):
        if command in done:
            return
        for other in makers(command):
            run(other)
        in_process(shortened(command))
        done.add(command)

    return run


@pytest.mark.parametrize('place', range(len(RUN)), ids=[shlex.split(c)[1] for c in RUN])
def test_commands_of_the_page(folder, run_row, monkeypatch, place):
    command = RUN[place]
    if 'dist_train' in command:
        pytest.skip('run by tests/models/test_distributed_training.py')
    if '--amp' in command and not torch.cuda.is_available():
        pytest.skip('MMEngine trains in mixed precision on a GPU only')
    if 'export_onnx' in command:
        pytest.importorskip('onnxruntime')
    monkeypatch.chdir(folder)
    run_row(command)
    written = command.split()[-1]
    if written.endswith(('.png', '.pkl', '.npz', '.csv', '.onnx')):
        assert Path(written).stat().st_size
    if 'publish' in command:
        assert list(Path().glob('stf_demo-*.pth'))


def test_rows_know_what_they_need():
    (fuse,) = (c for c in RUN if 'fuse_scores' in c and '--weights' not in c)
    assert [c.split()[-1] for c in makers(fuse)] == ['j.pkl', 'b.pkl']
    (test,) = (c for c in RUN if c.endswith('--dump b.pkl'))
    assert [c.split()[2] for c in makers(test)] == ['configs/stf_msg3d_demo_b.py']


def test_the_pipeline_of_augmentation():
    (example,) = AUGMENTATION.python
    space = {}
    exec(example, space)
    clip = safe_load(ROOT / 'tools/demo_data/ui_prmd_tiny.pkl')['annotations'][0]
    pipeline = Compose([TRANSFORMS.build(step) for step in space['train_pipeline']])
    assert pipeline(dict(clip))['inputs'].shape == (1, 1, 64, 20, 4)


def test_every_augmentation_is_described_with_its_defaults():
    rows = re.findall(r'^\| `(\w+)` \| `(.+?)` \|', AUGMENTATION.text, re.M)
    known = [
        name
        for module in (augment, augment_time)
        for name, kind in vars(module).items()
        if name in TRANSFORMS.module_dict and kind.__module__ == module.__name__
    ]
    assert sorted(name for name, _ in rows) == sorted(known)
    for name, arguments in rows:
        arguments = re.sub('^(layout|length)', r'\1=0', arguments)
        call = ast.parse(f'f({arguments})').body[0].value
        said = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        options = dict(layout='coco') if 'layout' in said else {}
        options |= dict(length=3) if 'length' in said else {}
        transform = TRANSFORMS.build(dict(type=name, **options))
        for key in said.keys() - options.keys():
            assert getattr(transform, key) == said[key], (name, key)
        assert set(said) == set(transform._options())


def test_pictures_are_those_that_are_drawn(tmp_path):
    draw = runpy.run_path(str(ROOT / 'docs/draw.py'), run_name='draw')
    names = {f'augment_{name}.png' for name in draw['AUGMENTATIONS']} | {
        'layouts.png',
        'layout_coco_wholebody.png',
    }
    shown = set(re.findall(r'\(images/([\w.]+)\)', AUGMENTATION.text + LAYOUT_PAGE.text))
    assert shown == names
    kinds = {kind['type'] for kind, _ in draw['AUGMENTATIONS'].values()}
    assert kinds == set(re.findall(r'^\| `(\w+)` \| `', AUGMENTATION.text, re.M))
    for layout in LAYOUTS.values():
        places = draw['place_joints'](layout)
        assert places.shape == (layout.num_node, 2)
        for left, right in layout.pairs:  # of one person, who faces the reader
            if layout.num_node == 133 and left >= 91:
                continue  # each hand is a picture of its own
            np.testing.assert_allclose(places[left], places[right] * [-1, 1], atol=1e-9)
            assert places[left, 0] > 0
    draw['draw_layouts'](tmp_path / 'layouts.png')
    draw['draw_whole_body'](tmp_path / 'whole.png')
    assert min(path.stat().st_size for path in tmp_path.iterdir()) > 10_000


def test_every_layout_is_listed():
    rows = dict(re.findall(r'^\| `(.+?)` \| (\d+) \|', LAYOUT_PAGE.text, re.M))
    assert {name: int(count) for name, count in rows.items()} == {
        name: layout.num_node for name, layout in LAYOUTS.items()
    }
    (example,) = LAYOUT_PAGE.python
    exec(example, {})
