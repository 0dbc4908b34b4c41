"""The tools as a user calls them, on the bundled skeletons."""

import argparse
import json
import os
import re
import runpy

import numpy as np
import pytest
import torch
from helpers.processes import forked, script, torchrun
from helpers.tools import DATA, DEMO, FEW, LOADERS, NO_WORKERS, ROOT, SHORT, call, load, tool

from stf_mmaction.datasets import safe_load
from stf_mmaction.files import read_checkpoint
from stf_mmaction.visualization import FocusedClip


def train(work_dir, *options, config=DEMO, extra=()):
    return tool(
        'train.py',
        config,
        '--work-dir',
        work_dir,
        '--seed',
        '0',
        *extra,
        '--cfg-options',
        *FEW,
        *NO_WORKERS,
        *options,
    )


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('trained')
    # Once in a process of its own, with workers, as users do.
    options = '--work-dir', work_dir, '--seed', '0', '--cfg-options', *FEW, *SHORT
    out = forked(script, ROOT / 'tools/train.py', DEMO, *options)
    assert out.returncode == 0, out.stderr[-2000:]
    return work_dir, out.stdout + out.stderr


def test_training_logs_every_loss(trained):
    _, log = trained
    for key in (
        'focus.loss_cls',
        'focus.loss_divergence',
        'focus.loss_coherence',
        'focus.loss_adjacency',
        'explore.loss_cls',
        'explore.loss_exploration',
        'acc/explore_top1',
        'the warm-up is over',
    ):
        assert key in log, key


def test_testing_dumps_ids_and_scores(trained, tmp_path):
    work_dir, _ = trained
    dump = tmp_path / 'scores.pkl'
    out = tool(
        'test.py',
        DEMO,
        work_dir / 'epoch_2.pth',
        '--work-dir',
        tmp_path,
        '--dump',
        dump,
        '--features',
        tmp_path / 'features.npz',
        '--show-dir',
        tmp_path / 'show',
        '--interval',
        '6',
        '--cfg-options',
        *FEW,
    )
    assert out.returncode == 0, out.stderr[-2000:]
    assert re.search(r'acc/top1: 0\.\d+.*acc/focus_top1', out.stdout + out.stderr)
    scores = safe_load(dump)
    ids = [s['frame_dir'] for s in scores]
    data = safe_load(ROOT / DATA)
    wanted = set(data['split']['val'])
    assert ids == [a['frame_dir'] for a in data['annotations'] if a['frame_dir'] in wanted][:12]
    for s in scores:
        mean = s['member_scores']['focus'] + s['member_scores']['explore']
        torch.testing.assert_close(s['pred_score'], mean / 2)
    pictures = sorted((tmp_path / 'show').iterdir())
    assert [p.name for p in pictures] == [f'{ids[0]}.png', f'{ids[6]}.png']
    assert pictures[0].read_bytes()[:4] == b'\x89PNG'
    file = np.load(tmp_path / 'features.npz')
    assert file['ids'].tolist() == ids
    assert file['labels'].tolist() == [int(s['gt_label']) for s in scores]
    assert len(file['classes']) == 10
    # What the heads make of these features are the scores.
    state = read_checkpoint(work_dir / 'epoch_2.pth')['state_dict']
    features = torch.from_numpy(file['features']).split(48, 1)
    for own, member in zip(features, ('focus', 'explore')):
        fc = f'members.{member}.cls_head.fc'
        logits = own @ state[f'{fc}.weight'].T + state[f'{fc}.bias']
        dumped = torch.stack([s['member_scores'][member] for s in scores])
        torch.testing.assert_close(logits.softmax(1), dumped)


def test_a_run_goes_on_from_its_checkpoint(trained, tmp_path):
    work_dir, _ = trained
    out = train(tmp_path, *SHORT, extra=('--resume', work_dir / 'epoch_1.pth'))
    assert out.returncode == 0, out.stderr[-2000:]
    ours, whole = (read_checkpoint(d / 'epoch_2.pth')['state_dict'] for d in (tmp_path, work_dir))
    for name, value in whole.items():
        assert value.equal(ours[name]), name


def dist(folder, name, *words):
    """Run a script of several processes; what it starts is forked."""
    python = folder / 'bin/python'
    python.parent.mkdir(exist_ok=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    env = dict(VIRTUAL_ENV=str(folder), PATH=f'{python.parent}:{os.environ["PATH"]}')
    said = call('bash', f'tools/{name}', *words, env=env)
    assert said.returncode == 0, said.stderr
    _, module, *words = said.stdout.splitlines()
    assert module == 'torch.distributed.run'
    out = torchrun(*words)
    assert out.returncode == 0, out.stderr[-3000:]
    return out.stdout + out.stderr


def test_two_processes_on_the_cpu(tmp_path):
    whole = 'train_cfg.max_epochs=1', 'custom_hooks.0.warmup_epochs=0'
    settings = '--seed', '0', '--cfg-options', *FEW, *NO_WORKERS, *SHORT, *whole
    log = dist(tmp_path, 'dist_train.sh', DEMO, 2, '--work-dir', tmp_path, *settings)
    assert 'GPU number: 2' in log  # MMEngine's word for processes.
    weights = tmp_path / 'epoch_1.pth'
    settings = '--work-dir', tmp_path / 'test', '--cfg-options', *FEW
    assert 'acc/top1' in dist(tmp_path, 'dist_test.sh', DEMO, weights, 2, *settings)


def test_focus_is_drawn(trained, tmp_path):
    work_dir, _ = trained
    picture = tmp_path / 'a/focus.png'
    out = tool(
        'visualize_focus.py',
        DEMO,
        work_dir / 'epoch_2.pth',
        '--out',
        picture,
        '--num-clips',
        1,
        '--class-names',
        'tools/demo_data/classes.txt',
    )
    assert out.returncode == 0, out.stderr[-2000:]
    assert picture.read_bytes()[:4] == b'\x89PNG'


def test_a_page_of_two_checkpoints(trained, tmp_path):
    work_dir, _ = trained
    page = tmp_path / 'a/page.html'
    weights = work_dir / 'epoch_2.pth', work_dir / 'epoch_1.pth'
    versus = ('--versus', DEMO, weights[1])
    out = tool('visualize_focus.py', DEMO, weights[0], *versus, '--html', page, '--num-clips', 12)
    assert out.returncode == 0, out.stderr[-2000:]
    assert f'wrote {page}' in out.stdout
    data = re.search(r'<script id="data".*?>(.*?)</script>', page.read_text(), re.S).group(1)
    data = json.loads(data)
    assert data['networks'] == ['epoch_2', 'epoch_1']
    labels = [clip['label'] for clip in data['clips']]
    assert labels == [*range(10), 0, 1]
    assert all(len(clip['views']) == 2 for clip in data['clips'])


class Ids(list):
    """A data set of which only the ids are known."""

    def get_data_info(self, index):
        return dict(frame_dir=self[index], label=0)


def test_versus_finds_the_clip_in_the_other_data_set(monkeypatch):
    tool = load(ROOT / 'tools/visualize_focus.py')
    cells = np.ones((1, 1, 1))
    monkeypatch.setattr(tool, 'load_versus', lambda args, names: ('other', Ids(['b', 'a'])))
    monkeypatch.setattr(
        tool,
        'focus_of_clip',
        lambda model, data, i, names: FocusedClip(cells[..., None], cells, f'{model} of {data[i]}'),
    )
    sources = dict(config='x.py', checkpoint='x.pth', versus=('y.py', 'y.pth'))
    args = argparse.Namespace(**sources, compare=None, explain='focus')
    drawn = tool.clips_to_draw(args, 'one', Ids(['a', 'c']), ['k'])
    assert [clip.title for clip in drawn(0)] == ['x, one of a', 'y, other of a']
    with pytest.raises(ValueError, match='clip c is not in the test split of y'):
        drawn(1)


def test_flops_of_stf_are_at_most_a_tenth_more():
    out = tool(
        'get_flops.py', 'configs/msg3d_ntu60_xsub_j.py', 'configs/stf_msg3d_ntu60_xsub_j_focus.py'
    )
    assert out.returncode == 0, out.stderr[-2000:]
    base, stf = out.stdout.splitlines()[-2:]
    assert ' 3.197M ' in base  # of four channels, as the config has them
    assert 1 < float(stf.split()[-1]) <= 1.10


def test_the_readme_run_of_one_epoch_prints_all_losses(tmp_path):
    data = [f'{loader}.dataset.ann_file={DATA}' for loader in LOADERS]
    out = train(
        tmp_path,
        *data,
        'train_cfg.max_epochs=1',
        'custom_hooks.0.warmup_epochs=0',
        'default_hooks.logger.interval=1',
        config='configs/stf_msg3d_utd_mhad_j.py',
    )
    assert out.returncode == 0, out.stderr[-2000:]
    for key in (
        'loss_cls',
        'loss_divergence',
        'loss_coherence',
        'loss_adjacency',
        'loss_exploration',
    ):
        assert key in out.stdout + out.stderr


@pytest.fixture
def failing(monkeypatch, capsys):
    """Run a tool in this process, which is faster; return how it ends."""

    def run(name, *arguments):
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr('sys.argv', [name, *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')
        if end.value.code == 2:  # argparse has printed
            return capsys.readouterr().err
        return end.value.code

    return run


@pytest.mark.parametrize(
    'options,sentence',
    [
        (['train_dataloader.dataset.ann_file=no.pkl'], 'no.pkl does not exist'),
        (['train_dataloader.dataset.split=test'], "no split 'test'"),
        (['model.shared.cls_head.num_classes=5'], 'num_classes=5'),
        (['model.shared.backbone.in_channels=3'], '3 channels'),
        (['model.shared.backbone.num_person=2'], '2 person'),
        (['model.shared.backbone.graph_cfg.layout=nturgb+d'], '25 joints'),
        (['model.shared.backbone.graph_cfg.layout=ntu'], "'ntu' is unknown"),
        (['model.shared.backbone.stf_stages=()'], 'needs STF modules'),
        (['model.shared.backbone.base_channels=24'], 'cls_head.in_channels=96'),
    ],
)
def test_wrong_settings_end_in_one_sentence(failing, tmp_path, options, sentence):
    message = failing(
        'train.py', DEMO, '--work-dir', tmp_path, '--cfg-options', *FEW, *options, *SHORT
    )
    assert message.startswith('error: ') and '\n' not in message
    assert sentence in message
    assert not list(tmp_path.glob('*.pth'))


def test_wrong_files_end_in_one_sentence(failing, trained, tmp_path):
    checkpoint = trained[0] / 'epoch_2.pth'
    cut = tmp_path / 'cut.pth'
    cut.write_bytes(checkpoint.read_bytes()[:5000])
    for arguments, sentence in (
        (('train.py', 'configs/no.py'), 'configs/no.py does not exist'),
        (('train.py', DEMO, '--resume', 'no.pth'), 'no.pth does not exist'),
        (('test.py', DEMO, 'no.pth'), 'no.pth does not exist'),
        (('test.py', DEMO, checkpoint, '--dump', 'a.txt'), 'must end in .pkl'),
        (('test.py', DEMO, cut, '--work-dir', tmp_path), 'is damaged'),
        (
            (
                'test.py',
                DEMO,
                checkpoint,
                '--work-dir',
                tmp_path,
                '--cfg-options',
                'model.shared.backbone.base_channels=24',
                'model.shared.cls_head.in_channels=96',
            ),
            'of shape',
        ),
        (
            ('visualize_focus.py', DEMO, checkpoint, '--clips', 'nobody'),
            'clip nobody is not in the split',
        ),
        (
            (
                'visualize_focus.py',
                DEMO,
                checkpoint,
                '--cfg-options',
                'model.shared.backbone.num_gcn_scales=5',
            ),
            'of shape',
        ),
    ):
        assert sentence in failing(*arguments), arguments


def test_joint_streams_train_and_test_by_one_command(tmp_path):
    config = 'configs/stf_msg3d_demo_jb.py'
    out = train(tmp_path, *SHORT, config=config)
    assert out.returncode == 0, out.stderr[-2000:]
    log = out.stdout + out.stderr
    for key in (
        'focus_j.loss_divergence',
        'focus_b.loss_adjacency',
        'explore_b.loss_exploration',
        'acc/explore_b_top1',
    ):
        assert key in log, key
    out = tool(
        'test.py',
        config,
        tmp_path / 'epoch_2.pth',
        '--dump',
        tmp_path / 'scores.pkl',
        '--work-dir',
        tmp_path,
        '--cfg-options',
        *FEW,
    )
    assert out.returncode == 0, out.stderr[-2000:]
    sample = safe_load(tmp_path / 'scores.pkl')[0]
    assert len(sample['member_scores']) == 4


def test_data_shift_takes_a_network_for_other_classes(tmp_path, trained):
    """A frozen network of 10 classes, a new layer for 12."""
    work_dir, _ = trained
    config = tmp_path / 'shift.py'
    config.write_text(f"""
_base_ = '{ROOT}/configs/stf_msg3d_demo_j.py'
model = dict(
    shared=dict(frozen_backbone=True, cls_head=dict(num_classes=12)),
    members=[dict(name='focus'), dict(name='explore')])
custom_hooks = []
load_from = '{work_dir}/epoch_2.pth'
""")
    out = tool(
        'train.py',
        config,
        '--work-dir',
        tmp_path,
        '--cfg-options',
        *FEW,
        'train_cfg.max_epochs=1',
        'default_hooks.checkpoint.interval=1',
    )
    assert out.returncode == 0, out.stderr[-2000:]
    before, after = (
        read_checkpoint(path)['state_dict']
        for path in (work_dir / 'epoch_2.pth', tmp_path / 'epoch_1.pth')
    )
    for name, value in after.items():
        if 'backbone' in name:
            assert value.equal(before[name]), name
    assert after['members.focus.cls_head.fc.weight'].shape[0] == 12
    # A test with the wrong checkpoint is still refused.
    out = tool(
        'test.py', config, work_dir / 'epoch_2.pth', '--work-dir', tmp_path, '--cfg-options', *FEW
    )
    assert out.returncode and 'cls_head.fc' in out.stderr
