"""The documents in docs/: every command and every example is run."""

import copy
import json
import re
import runpy
import shlex
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
import yaml
from helpers import ROOT
from helpers.data_tools import write_csv
from helpers.definition import slow_losses
from helpers.documents import Document
from helpers.tools import tool
from helpers.tutorial import BUNDLED, TUTORIAL, hand, kinect, plane
from mmaction.registry import MODELS

from stf_mmaction.datasets import safe_load

DOCS = sorted(path.name for path in (ROOT / 'docs').glob('*.md'))
PLAIN = Document('docs/plain_pytorch.md')
ANY = Document('docs/any_gcn.md')
# Of twelve clips, three of each of four classes, in two epochs.
SHORT = [
    'train_cfg.max_epochs=2',
    'custom_hooks.0.warmup_epochs=1',
    'default_hooks.checkpoint.interval=1',
]


@pytest.mark.parametrize('name', DOCS)
def test_links_lead_somewhere(name):
    if '](' in Document(f'docs/{name}').text:
        assert Document(f'docs/{name}').broken_links() == []


def config_text(channels):
    """The config of the tutorial with a small network."""
    text = TUTORIAL.python[0]
    for old, new in (
        ('base_channels=24', 'base_channels=6'),
        ('in_channels=96', 'in_channels=24'),
        ('num_gcn_scales=8', 'num_gcn_scales=3'),
        ('num_g3d_scales=4', 'num_g3d_scales=2'),
        ('clip_len=64', 'clip_len=12'),
        ('in_channels=4', f'in_channels={channels}'),
        ('num_workers=2', 'num_workers=0'),
        ('persistent_workers=True', 'persistent_workers=False'),
    ):
        assert old in text
        text = text.replace(old, new)
    return text


def write_data(folder, clips, scores):
    """Clips as files and their labels; returns the names."""
    names = ['squat_01', 'lunge_01'] + [f'more/{i}' for i in range(10)]
    lines = ['clip,label,split']
    for index, (name, clip) in enumerate(zip(names, clips)):
        score = None if scores is None else scores[index]
        path = folder / 'my_clips' / name
        if index % 2:
            path.parent.mkdir(parents=True, exist_ok=True)
            more = {} if score is None else dict(keypoint_score=score)
            np.savez(path, keypoint=clip, **more)
        else:
            write_csv(path.with_suffix('.csv'), clip, score)
        lines.append(f"{name},{index // 3},{('train', 'val')[index % 3 > 1]}")
    (folder / 'my_labels.csv').write_text('\n'.join(lines) + '\n')
    return names


def run(command, joints):
    """A command of the tutorial in this process, on fewer epochs."""
    words = shlex.split(command.replace('epoch_55', 'epoch_2'))
    assert words.pop(0) == 'python'
    if words[0] == 'tools/train.py':
        words += ['--cfg-options', *SHORT]
    if '--joints' in words:
        words[words.index('--joints') + 1] = str(joints)
    path = ROOT / words[0]
    with mock.patch('sys.argv', words):
        runpy.run_path(str(path), run_name='__main__')


@pytest.mark.parametrize('skeleton', [kinect, hand, plane])
def test_from_files_to_a_picture(skeleton, tmp_path, monkeypatch, capfd):
    layout, clips, scores = skeleton()
    monkeypatch.chdir(tmp_path)
    names = write_data(tmp_path / 'data', clips, scores)
    Path('configs').mkdir()
    Path('configs/_base_').symlink_to(ROOT / 'configs/_base_')
    channels = clips[0].shape[3] + 1
    Path('configs/my_layout.json').write_text(json.dumps(layout))
    Path('configs/mine.py').write_text(config_text(channels))
    for command in TUTORIAL.commands:
        run(command, layout['num_node'])

    data = safe_load('data/skeleton/mine.pkl')
    assert [clip['frame_dir'] for clip in data['annotations']] == names
    for clip, keypoint in zip(data['annotations'], clips):
        np.testing.assert_allclose(clip['keypoint'], keypoint, atol=1e-5)
    log = capfd.readouterr()
    for loss in ('divergence', 'coherence', 'adjacency', 'exploration'):
        assert f'loss_{loss}' in log.out + log.err
    scored = safe_load('scores.pkl')
    assert [s['frame_dir'] for s in scored] == data['split']['val']
    assert Path('focus.png').read_bytes()[:4] == b'\x89PNG'

    if scores is None:  # as in the example
        code = TUTORIAL.python[1].replace('epoch_55', 'epoch_2')
        space = {}
        exec(code, space)
        result = space['result']
        assert result['focus'].shape == clips[1].shape[:3]
        assert result['focus'].max() > 0
        last = safe_load('data/skeleton/mine.pkl')['annotations'][2]
        again = space['inferencer'](last['keypoint'])
        np.testing.assert_allclose(
            again['pred_scores'], torch.as_tensor(scored[0]['pred_score']).numpy(), atol=1e-6
        )


def plain_example():
    """What the example of plain PyTorch defines: Net and stf_loss."""
    space = {}
    (example,) = PLAIN.python
    lines = [line for line in example.splitlines() if line.strip()]
    assert len(lines) <= 30
    exec(example, space)
    torch.manual_seed(0)
    return space['Net'], space['stf_loss']


@pytest.mark.parametrize('explore', [False, True])
def test_plain_pytorch_learns(explore):
    """The example learns the bundled clips; a second person is absent."""
    Net, stf_loss = plain_example()
    clips = BUNDLED['annotations'][:98]
    x = torch.from_numpy(np.stack([clip['keypoint'][:, ::4] for clip in clips])).float()
    x = torch.cat([x - x[:, :, :, :1], torch.zeros_like(x)], 1)
    labels = torch.tensor([clip['label'] for clip in clips])
    net = Net(3, 10)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)

    def step(part):
        optimizer.zero_grad()
        loss = stf_loss(net, x[part], labels[part], explore)
        loss.backward()
        return loss.item()

    def accuracy():
        with torch.no_grad():
            return (net(x)[2].argmax(1) == labels).float().mean()

    early, before = accuracy(), step(slice(None))
    for _ in range(20):
        for part in torch.randperm(98).split(14):
            step(part)
            optimizer.step()
    assert accuracy() > max(early, 0.5) and step(slice(None)) < before


@pytest.mark.parametrize('explore', [False, True])
def test_plain_pytorch_is_the_definition(explore):
    """Eq. (2) to (6) and their gradients, in float64."""
    Net, stf_loss = plain_example()
    net = Net(3, 4).double()
    x = torch.randn(3, 2, 9, 5, 3, dtype=torch.float64)
    x[2, 1] = 0  # absent
    labels = torch.tensor([0, 3, 1])
    once = copy.deepcopy(net)
    once(x)
    loss = stf_loss(net, x, labels, explore)
    for name, buffer in once.named_buffers():  # moved by one pass, not two
        torch.testing.assert_close(buffer, net.get_buffer(name))

    model = SimpleNamespace(backbone=lambda clips: net(clips)[1], cls_head=net, modules=net.modules)

    def stages(_, clips):
        lower, last, _ = net(clips)
        return lower, last, last, ()

    slow = slow_losses(model, x[:, None], labels, stages)
    names = ('exploration',) if explore else ('divergence', 'coherence')
    expected = sum(slow[f'loss_{name}'] for name in ('cls', *names))
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-14)
    ours, theirs = (
        torch.autograd.grad(value, tuple(net.parameters())) for value in (loss, expected)
    )
    for a, b, (name, _) in zip(ours, theirs, net.named_parameters()):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-13, msg=name)


def test_any_gcn_shows_the_config():
    (example,) = ANY.python
    (name,) = re.findall(r'\[configs/(\w+)\.py\]', ANY.text)
    assert example == (ROOT / f'configs/{name}.py').read_text()
    for kind in re.findall(r'`(STF\w+|\w+Backbone)` ?[|(]', ANY.text):
        assert kind in MODELS


def test_accuracies_of_any_gcn_are_those_measured():
    results = yaml.safe_load((ROOT / 'tools/results.yml').read_text())
    names = {
        'ST-GCN': 'stgcn_utd_mhad_j',
        'ST-GCN++': 'stgcnpp_utd_mhad_j',
        'AAGCN': 'aagcn_utd_mhad_j',
        'CTR-GCN': 'ctrgcn_utd_mhad_j',
        'MS-G3D': 'msg3d_utd_mhad_j_20e',
    }
    rows = re.findall(r'^\| ([\w+-]+) \| ([^|]+) \| ([^|]+) \|$', ANY.text, re.M)
    assert {row[0]: row[1:] for row in rows if row[0] in names} == {
        title: (results[name]['top1'], results[f'stf_{name}']['top1'])
        for title, name in names.items()
    }


@pytest.mark.parametrize('command', ANY.commands)
def test_commands_of_any_gcn(command, tmp_path):
    """Ten trainings take an hour: here, what there is of them is printed."""
    words = shlex.split(command)
    if words[0] == 'bash':
        words += ['--show', '--work-dirs', str(tmp_path)]
    else:
        words += ['--batch', '1', '--frames', '8', '--rounds', '1']
    out = tool(words[1].removeprefix('tools/').replace('.sh', '.py'), *words[2:])
    assert out.returncode == 0, out.stderr[-2000:]
    rows = re.findall(r'^\| .*(?:GCN|G3D|_j).* \|$', out.stdout, re.M)
    assert len(rows) == (10 if words[0] == 'bash' else 2)


def test_every_tool_is_listed():
    """What a user starts has a row in useful_tools.md; what it imports has none."""
    text = Document('docs/useful_tools.md').text
    for path in sorted([*ROOT.glob('tools/*.py'), *ROOT.glob('tools/analysis/*.py')]):
        started = "__name__ == '__main__'" in path.read_text()
        name = str(path.relative_to(ROOT))
        if name == 'tools/reproduce.py':
            name = 'tools/reproduce.sh'
        assert (f'`{name}`' in text) == started, name
    for name in re.findall(r'`(tools/[^`]+)`', text):
        assert (ROOT / name).exists(), name
