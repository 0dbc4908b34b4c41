"""Every config builds, takes a step, and states the paper's recipe."""
import copy
from functools import lru_cache
from pathlib import Path

import mmaction
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose
from networks import samples, total
from stf_mmaction.datasets.layouts import get_layout

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path.stem for path in (ROOT / 'configs').glob('*.py'))


@lru_cache(maxsize=None)
def _load(name):
    return Config.fromfile(ROOT / f'configs/{name}.py')


def load(name):
    return copy.deepcopy(_load(name))


def network_of(cfg):
    """The network of a recognizer, or what the members share."""
    return cfg.model.get('shared') or cfg.model


def dataset_of(cfg):
    data = cfg.train_dataloader.dataset
    return data.get('dataset', data)  # of a RepeatDataset


def narrow(cfg):
    """The same network with few channels."""
    net = network_of(cfg)
    width = 8 if 'CTRGCN' in net.backbone.type else 6
    net.backbone.base_channels = width
    net.cls_head.in_channels = 4 * width
    return cfg


def raw_clip(layout, label, stream):
    """A clip as it is in the files of the config."""
    rng = np.random.default_rng(label)
    joints = get_layout(layout).num_node
    clip = dict(total_frames=9, frame_dir=str(label), label=label,
                stream=stream)
    flat = layout == 'openpose'
    clip['keypoint'] = rng.normal(
        size=(2, 9, joints, 2 if flat else 3)).astype('f4')
    if flat:
        clip['keypoint_score'] = rng.random((2, 9, joints)).astype('f4')
    return clip


def clips_of(cfg, loader='train'):
    data = cfg[f'{loader}_dataloader'].dataset
    data = data.get('dataset', data)
    layout = network_of(cfg).backbone.graph_cfg.layout
    pipeline = Compose([
        TRANSFORMS.build(step) for step in data.pipeline
        if step['type'] != 'PadTo'
    ])
    return torch.stack([
        pipeline(raw_clip(layout, i, data.get('stream', 'j')))['inputs']
        [:, :network_of(cfg).backbone.get('num_person', 2), :6]
        for i in range(2)
    ])


FOCUS = {'loss_divergence', 'loss_coherence', 'loss_adjacency'}
# The installed configs of MMAction2 with STF.
STOCK = {
    'stf_stgcn_ntu60_xsub_j', 'stf_2sagcn_ntu60_xsub_j',
    'stf_stgcnpp_ntu60_xsub_j'
}


def expected_losses(name):
    """The STF losses that a config is for, by its name."""
    if name == 'stf_stgcnpp_ntu60_xsub_j':
        return {'loss_divergence', 'loss_coherence'}
    if not name.startswith('stf_') or name.endswith('_shift'):
        return set()
    if 'msg3d' not in name or name.endswith('_20e'):
        return FOCUS
    for end, own in (('_c', {'loss_coherence'}),
                     ('_cd', {'loss_coherence', 'loss_divergence'}),
                     ('_focus', FOCUS), ('_explore', {'loss_exploration'})):
        if name.endswith(end):
            return own
    if name.endswith('_x2'):
        return {f'member{i}.{key}' for i in range(2) for key in FOCUS}
    streams = ('_j', '_b') if name.endswith('_jb') else ('', )
    return {
        f'{member}{stream}.{key}' for stream in streams
        for member, keys in (('focus', FOCUS),
                             ('explore', {'loss_exploration'}))
        for key in keys
    }


@pytest.mark.parametrize('name', CONFIGS)
def test_a_step_reaches_every_parameter(name):
    """On a clip of the config's format, made from a raw one."""
    cfg = narrow(load(name))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    inputs = clips_of(cfg)
    losses = model.train()(inputs, samples([0, 1]), mode='loss')
    total(losses).backward()
    assert all(value.isfinite() for value in losses.values())
    assert {key for key in losses if 'loss_cls' not in key
            and 'loss' in key} == expected_losses(name)
    assert [n for n, p in model.named_parameters()
            if (p.grad is None) == p.requires_grad] == []
    if name.endswith('_shift'):
        assert {n.split('cls_head')[-1] for n, p in model.named_parameters()
                if p.requires_grad} == {'.fc.weight', '.fc.bias'}
    if 'test_dataloader' in cfg and name.endswith(('_u100', '_jb')):
        with torch.no_grad():
            predicted = model.eval()(
                clips_of(cfg, 'test'), samples([0, 1]), mode='predict')
        assert predicted[0].pred_score.sum() == pytest.approx(1, abs=1e-5)


def learning_rates(cfg):
    """The learning rate of each epoch, by MMEngine's own schedulers."""
    from mmengine.registry import PARAM_SCHEDULERS
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight],
                                lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(s, convert_to_iter_based=False),
                               default_args=dict(optimizer=optimizer))
        for s in cfg.param_scheduler
    ]
    rates = []
    for _ in range(cfg.train_cfg.max_epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return rates


def steps(first, *epochs):
    """x 0.1 after each of ``epochs`` but the last, which ends it."""
    rates, rate, start = [], first, 0
    for stop in epochs:
        rates += [rate] * (stop - start)
        rate, start = rate / 10, stop
    return rates


STF = [1e-3] * 5 + [5e-4] * 5 + [1e-4] * 5
# Rates of the baseline, classes, joints' layout, scales, channels.
PAPER = {
    'ntu60_xsub': (steps(.05, 20, 35, 45, 50), 60, 'nturgb+d', (13, 6), 4),
    'ntu60_xview': (steps(.05, 20, 35, 45, 50), 60, 'nturgb+d', (13, 6), 4),
    'ntu120_xsub': (steps(.05, 20, 35, 50, 60), 120, 'nturgb+d', (13, 6), 4),
    'ntu120_xset': (steps(.05, 20, 35, 50, 60), 120, 'nturgb+d', (13, 6), 4),
    'k400': (steps(.05, 25, 40, 55, 65), 400, 'openpose', (8, 8), 3),
}
WEIGHTS = dict(
    loss_divergence=0.1, loss_coherence=0.1, loss_adjacency=0.01,
    loss_exploration=0.01)


@pytest.mark.parametrize('kind', ['msg3d', 'stf_msg3d'])
@pytest.mark.parametrize('bench', PAPER)
def test_recipe_of_the_paper(kind, bench):
    cfg = load(f'{kind}_{bench}_j')
    rates, classes, layout, scales, channels = PAPER[bench]
    stf = kind == 'stf_msg3d'
    assert learning_rates(cfg) == pytest.approx(rates + STF * stf)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.momentum, optimizer.nesterov,
            optimizer.weight_decay) == ('SGD', 0.9, True, 5e-4)
    assert cfg.train_dataloader.batch_size * 4 == 32
    assert cfg.auto_scale_lr.base_batch_size == 32
    net, head = network_of(cfg).backbone, network_of(cfg).cls_head
    assert (net.base_channels, net.num_person, net.in_channels,
            (net.num_gcn_scales, net.num_g3d_scales)) == (
                96, 2, channels, scales)
    assert (net.graph_cfg.layout, head.num_classes) == (layout, classes)
    assert net.type == ('STFGCN' if stf else 'MSG3DBackbone')
    data, split = bench.split('_') if '_' in bench else (bench, '')
    split = f'{split}_' if split else ''
    file = f'data/skeleton/{data}_' + (
        'openpose.pkl' if data == 'k400' else '3d.pkl')
    for loader, part in (('train', 'train'), ('val', 'val'),
                         ('test', 'val')):
        dataset = cfg[f'{loader}_dataloader'].dataset
        assert (dataset.ann_file, dataset.split) == (file, split + part)
        done = {step['type']: step for step in dataset.pipeline}
        assert done['PadTo']['length'] == 300
        assert done['PrepareSkeleton']['layout'] == layout
        assert done['SkeletonStream']['layout'] == layout
    if stf:
        assert cfg.custom_hooks[0].warmup_epochs == len(rates)
        assert WEIGHTS == {
            key: value.loss_weight for member in cfg.model.members
            for key, value in member.cls_head.items()
        }


@pytest.mark.parametrize('end', ['_c', '_cd', '_focus', '_explore'])
@pytest.mark.parametrize('bench', ['ntu60_xsub', 'utd_mhad'])
def test_members_alone_start_from_the_baseline(bench, end):
    cfg = load(f'stf_msg3d_{bench}_j{end}')
    baseline = load(f'msg3d_{bench}_j')
    assert learning_rates(cfg) == pytest.approx(STF)
    assert cfg.load_from == (f'work_dirs/msg3d_{bench}_j/'
                             f'epoch_{baseline.train_cfg.max_epochs}.pth')
    own = {k: v.loss_weight for k, v in cfg.model.cls_head.items()
           if k.startswith('loss_') and v}
    assert own == {k: WEIGHTS[k]
                   for k in expected_losses(f'stf_msg3d{end}')}
    assert dict(cfg.model.backbone, type='MSG3DBackbone', stf_stages=None
                ) == dict(baseline.model.backbone, stf_stages=None)


def test_one_knob_per_file():
    """What a config changes in the one that it is named after."""
    for name in CONFIGS:
        if name.endswith(('_b', '_jm', '_bm')):
            base, end = name.rsplit('_', 1)
            own, other = load(name).to_dict(), load(f'{base}_j').to_dict()
            for loader in ('train', 'val', 'test'):
                data = own[f'{loader}_dataloader']['dataset']
                assert data.pop('stream') == end
            assert own == other
        if name.endswith('pct'):
            base, percent = name.rsplit('_', 1)
            own, other = load(name).to_dict(), load(base).to_dict()
            data = own['train_dataloader']['dataset']
            assert data.pop('fraction') == int(percent[:-3]) / 100
            assert own == other
        if name.endswith('_shift'):
            source = Path(load(name).load_from)
            before = load(source.parent.name)
            assert source.name == f'epoch_{before.train_cfg.max_epochs}.pth'
            assert network_of(load(name)).backbone == network_of(
                before).backbone


def test_practice_of_mmaction2():
    stock = Config.fromfile(
        Path(mmaction.__file__).parent / '.mim/configs/skeleton/stgcnpp/stgcnp'
        'p_8xb16-joint-u100-80e_ntu60-xsub-keypoint-3d.py')
    own = load('msg3d_ntu60_xsub_j_u100')
    for key in ('train_cfg', 'optim_wrapper', 'auto_scale_lr'):
        for name, value in stock[key].items():
            if name != 'val_begin':
                expected = own[key][name]
                assert expected == value or name == 'optimizer', (key, name)
    assert own.param_scheduler[0].T_max == stock.param_scheduler[0].T_max
    assert own.train_dataloader.batch_size == stock.train_dataloader.batch_size
    assert own.train_dataloader.dataset.times == 5
    for loader in ('train', 'val', 'test'):
        samples = [
            next(step for step in data.get('dataset', data).pipeline
                 if step['type'] == 'UniformSampleFrames')
            for data in (own[f'{loader}_dataloader'].dataset,
                         stock[f'{loader}_dataloader'].dataset)
        ]
        samples[1].pop('num_clips') if loader == 'val' else None
        assert samples[0] == samples[1]


@pytest.mark.parametrize('name', [n for n in CONFIGS if n.startswith('stf_')
                                  and 'custom_hooks' in load(n)])
def test_the_rates_change_where_the_phase_does(name):
    cfg = load(name)
    switch = cfg.custom_hooks[0].warmup_epochs
    rates = learning_rates(cfg)
    if 'msg3d' not in name:  # MMAction2's cosine
        assert max(rates[switch:]) < 0.01 and len(rates) == switch + 3 == 16
        return
    assert rates[switch] == pytest.approx(1e-3)
    last = 1e-3 if 'tiny' in name else 1e-4  # of one epoch, of several
    assert rates[-1] == pytest.approx(last)
    assert 0 < switch < len(rates)


@pytest.mark.parametrize('name', CONFIGS)
def test_clip_ids_are_kept(name):
    if name in STOCK:
        pytest.skip("the pipeline of MMAction2's config is its own")
    cfg = load(name)
    for data in (dataset_of(cfg), cfg.val_dataloader.dataset,
                 cfg.test_dataloader.dataset):
        assert 'frame_dir' in data.pipeline[-1]['meta_keys']
