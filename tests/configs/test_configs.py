"""Every config states its recipe: the paper's, MMAction2's, or our own."""

import re
from pathlib import Path

import mmaction
import pytest
from helpers.zoo_configs import (
    CONFIGS,
    FOCUS,
    ROOT,
    entry,
    expected_losses,
    learning_rates,
    load,
    network_of,
    steps,
)
from mmengine.config import Config

BENCHMARKS = ('ntu60_xsub', 'ntu60_xview', 'ntu120_xsub', 'ntu120_xset', 'k400')
KINDS = ('msg3d', 'stf_msg3d')


def test_nothing_of_the_paper_is_missing():
    wanted = {
        f'{kind}_{bench}_{stream}'
        for kind in KINDS
        for bench in BENCHMARKS
        for stream in ('j', 'b', 'jm', 'bm')
    }
    wanted |= {f'stf_msg3d_{bench}_jb' for bench in BENCHMARKS}
    wanted |= {
        f'stf_msg3d_ntu60_xsub_j{end}' for end in ('_c', '_cd', '_focus', '_explore', '_focus_x2')
    }
    wanted |= {
        f'{kind}_{end}'
        for kind in KINDS
        for end in (
            'ntu120_xsub_j_shift',
            'ntu60_xsub_j_u100',
        )
    }
    assert wanted | {'msg3d_ntu60_xsub_j_x2'} <= set(CONFIGS)


STF = [1e-3] * 5 + [5e-4] * 5 + [1e-4] * 5
NTU60, NTU120 = steps(0.05, 20, 35, 45, 50), steps(0.05, 20, 35, 50, 60)
K400, SMALL = steps(0.05, 25, 40, 55, 65), steps(0.05, 25, 35, 40)
# Frames, width, persons, clips on a machine.
PAPER, OWN = (300, 96, 2, 8), (64, 24, 1, 16)
# Rates of the baseline, classes, joints' layout, scales, channels, sizes.
RECIPES = {
    'ntu60_xsub': (NTU60, 60, 'nturgb+d', (13, 6), 4, PAPER),
    'ntu60_xview': (NTU60, 60, 'nturgb+d', (13, 6), 4, PAPER),
    'ntu120_xsub': (NTU120, 120, 'nturgb+d', (13, 6), 4, PAPER),
    'ntu120_xset': (NTU120, 120, 'nturgb+d', (13, 6), 4, PAPER),
    'k400': (K400, 400, 'openpose', (8, 8), 3, PAPER),
    'utd_mhad': (SMALL, 27, 'kinect20', (8, 4), 4, OWN),
    'nw_ucla': (SMALL, 10, 'kinect20', (8, 4), 4, OWN),
}
WEIGHTS = dict(loss_divergence=0.1, loss_coherence=0.1, loss_adjacency=0.01, loss_exploration=0.01)


def check_data(cfg, bench):
    """File, split, layout and frames of each loader."""
    data, split = bench.split('_') if bench.startswith('ntu') else (bench, '')
    split = f'{split}_' if split else ''
    ends = dict(k400='_openpose', utd_mhad='', nw_ucla='')
    _, _, layout, *_, (frames, *_) = RECIPES[bench]
    for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = cfg[f'{loader}_dataloader'].dataset
        assert (dataset.ann_file, dataset.split) == (
            f'data/skeleton/{data}{ends.get(data, "_3d")}.pkl',
            split + part,
        )
        done = {step['type']: step for step in dataset.pipeline}
        if frames == 300:
            assert done['PadTo']['length'] == frames
        else:
            assert done['UniformSampleFrames']['clip_len'] == frames
        assert done['PrepareSkeleton']['layout'] == layout
        assert done['SkeletonStream']['layout'] == layout


def check_optimizer(cfg):
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.momentum, optimizer.nesterov, optimizer.weight_decay) == (
        'SGD',
        0.9,
        True,
        5e-4,
    )


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('bench', RECIPES)
def test_recipe_of_a_benchmark(kind, bench):
    cfg = load(f'{kind}_{bench}_j')
    rates, classes, layout, scales, channels, sizes = RECIPES[bench]
    stf = kind == 'stf_msg3d'
    assert learning_rates(cfg) == pytest.approx(rates + STF * stf)
    check_optimizer(cfg)
    check_data(cfg, bench)
    if bench in BENCHMARKS:
        assert cfg.train_dataloader.batch_size * 4 == 32
        assert cfg.auto_scale_lr.base_batch_size == 32
    net, head = network_of(cfg).backbone, network_of(cfg).cls_head
    assert (net.base_channels, net.num_person, cfg.train_dataloader.batch_size) == sizes[1:]
    assert (net.in_channels, (net.num_gcn_scales, net.num_g3d_scales)) == (channels, scales)
    assert (net.graph_cfg.layout, head.num_classes) == (layout, classes)
    assert net.type == ('STFGCN' if stf else 'MSG3DBackbone')
    if stf:
        assert cfg.custom_hooks[0].warmup_epochs == len(rates)
        assert WEIGHTS == {
            key: value.loss_weight
            for member in cfg.model.members
            for key, value in member.cls_head.items()
        }


@pytest.mark.parametrize('end', ['_c', '_cd', '_focus', '_explore'])
@pytest.mark.parametrize('bench', ['ntu60_xsub', 'utd_mhad'])
def test_members_alone_start_from_the_baseline(bench, end):
    cfg = load(f'stf_msg3d_{bench}_j{end}')
    baseline = load(f'msg3d_{bench}_j')
    assert learning_rates(cfg) == pytest.approx(STF)
    assert cfg.load_from == (f'work_dirs/msg3d_{bench}_j/epoch_{baseline.train_cfg.max_epochs}.pth')
    own = {k: v.loss_weight for k, v in cfg.model.cls_head.items() if k.startswith('loss_') and v}
    assert own == {k: WEIGHTS[k] for k in expected_losses(f'stf_msg3d{end}')}
    assert dict(cfg.model.backbone, type='MSG3DBackbone', stf_stages=None) == dict(
        baseline.model.backbone, stf_stages=None
    )


SOURCES = {
    'ntu120_xsub': ('msg3d_ntu60_xsub_j/epoch_50', 'stf_msg3d_ntu60_xsub_j/epoch_65'),
    'nw_ucla': ('msg3d_utd_mhad_j/epoch_40', 'stf_msg3d_utd_mhad_j/epoch_55'),
}


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('bench', SOURCES)
def test_recipe_of_data_shift(bench, kind):
    """A frozen network, a new last layer, the baseline's schedule."""
    cfg, source = load(f'{kind}_{bench}_j_shift'), SOURCES[bench]
    rates, classes, *_ = RECIPES[bench]
    assert learning_rates(cfg) == pytest.approx(rates)
    check_optimizer(cfg)
    check_data(cfg, bench)
    assert cfg.load_from == f'work_dirs/{source[KINDS.index(kind)]}.pth'
    assert cfg.get('custom_hooks') is None  # no phases
    net = network_of(cfg)
    assert net.frozen_backbone and net.cls_head.num_classes == classes
    before = load(Path(cfg.load_from).parent.name)
    assert net.backbone == network_of(before).backbone
    assert [m.name for m in cfg.model.get('members', [])] == [
        m.name for m in before.model.get('members', [])
    ]


@pytest.mark.parametrize(
    'name,end', [('stgcn', ''), ('stgcnpp', ''), ('aagcn', ''), ('ctrgcn', ''), ('msg3d', '_20e')]
)
def test_recipe_of_the_comparison(name, end):
    """Each network for 20 epochs, then 6 with STF from those weights."""
    plain = entry(f'{name}_utd_mhad_j{end}')
    stf = entry(f'stf_{name}_utd_mhad_j{end}')
    assert learning_rates(plain) == pytest.approx(steps(0.05, 12, 17, 20))
    assert learning_rates(stf) == pytest.approx([1e-3] * 2 + [5e-4] * 2 + [1e-4] * 2)
    assert plain.get('load_from') is None
    assert stf.load_from == (f'work_dirs/{name}_utd_mhad_j{end}/epoch_20.pth')
    for cfg in (plain, stf):
        check_optimizer(cfg)
        check_data(cfg, 'utd_mhad')
        assert (cfg.model.cls_head.num_classes, cfg.train_dataloader.batch_size) == (27, 16)
    assert {
        key: value.loss_weight
        for key, value in stf.model.cls_head.items()
        if key.startswith('loss_')
    } == {key: WEIGHTS[key] for key in FOCUS}
    own, other = (dict(cfg.model.backbone, type='', stf_stages=None) for cfg in (plain, stf))
    assert own == other


@pytest.mark.parametrize('name', ['msg3d_ntu60_xsub_j', 'stf_msg3d_k400_b'])
@pytest.mark.parametrize('percent', [10, 25])
def test_part_of_the_training_clips_is_an_option(name, percent):
    own, other = entry(f'{name}_{percent}pct').to_dict(), load(name).to_dict()
    assert own['train_dataloader']['dataset'].pop('fraction') == percent / 100
    assert own == other


def test_one_knob_per_file():
    """What a config changes in the one that it is named after."""
    for name in CONFIGS:
        base, end = name.rsplit('_', 1)
        if end in ('b', 'jm', 'bm', 'jb'):
            own, other = load(name).to_dict(), load(f'{base}_j').to_dict()
            stream = ('j', 'b') if end == 'jb' else end
            for loader in ('train', 'val', 'test'):
                data = own[f'{loader}_dataloader']['dataset']
                assert data.pop('stream') == stream
            # What is tested names it in the pipeline, too: for MMAction2's APIs.
            tested = [own[f'{loader}_dataloader']['dataset'] for loader in ('val', 'test')]
            for steps in (own['test_pipeline'], *(data['pipeline'] for data in tested)):
                (step,) = (s for s in steps if s['type'] == 'SkeletonStream')
                assert step.pop('stream', stream) == stream
            if end == 'jb':
                assert own['model'].pop('streams') == stream
            assert own == other
        if end == 'x2':
            own, other = load(name).to_dict(), load(base).to_dict()
            assert own.pop('model') == dict(
                type='STFEnsemble', shared=other.pop('model'), members=[{}, {}]
            )
            assert own == other
        if end == 'shift':
            source = Path(load(name).load_from)
            before = load(source.parent.name)
            assert source.name == f'epoch_{before.train_cfg.max_epochs}.pth'
            assert network_of(load(name)).backbone == network_of(before).backbone


def stock_config(name):
    """The u100 config of MMAction2 for joints in 3D."""
    return Config.fromfile(
        Path(mmaction.__file__).parent / f'.mim/configs/skeleton/{name}/{name}'
        '_8xb16-joint-u100-80e_ntu60-xsub-keypoint-3d.py'
    )


def check_u100_data(own, stock):
    """Batch, repetitions, splits and frames, as MMAction2 has them."""
    assert own.auto_scale_lr == stock.auto_scale_lr
    loaders = own.train_dataloader, stock.train_dataloader
    assert loaders[0].batch_size == loaders[1].batch_size == 16
    assert loaders[0].sampler == loaders[1].sampler
    for loader in loaders:
        assert (loader.dataset.type, loader.dataset.times) == ('RepeatDataset', 5)
    for loader in ('train', 'val', 'test'):
        data = [cfg[f'{loader}_dataloader'].dataset for cfg in (own, stock)]
        data = [d.get('dataset', d) for d in data]
        assert [d.ann_file for d in data] == ['data/skeleton/ntu60_3d.pkl'] * 2
        assert data[0].split == data[1].split
        frames = [
            next(
                dict(dict(num_clips=1), **step)
                for step in d.pipeline
                if step['type'] == 'UniformSampleFrames'
            )
            for d in data
        ]
        assert frames[0] == frames[1]
    assert frames[0]['num_clips'] == 10


@pytest.mark.parametrize('stock', ['stgcnpp', '2s-agcn'])
@pytest.mark.parametrize('name', ['msg3d_ntu60_xsub_j_u100', 'ctrgcn_ntu60_xsub_j'])
def test_practice_of_mmaction2(name, stock):
    own, stock = load(name), stock_config(stock)
    check_u100_data(own, stock)
    assert own.optim_wrapper == stock.optim_wrapper
    begin = dict(val_begin=1)  # the default
    assert dict(begin, **own.train_cfg) == dict(begin, **stock.train_cfg)
    whole = dict(by_epoch=True)
    assert [dict(whole, **s) for s in own.param_scheduler] == [
        dict(whole, **s) for s in stock.param_scheduler
    ]
    assert (own.model.cls_head.num_classes, own.get('load_from')) == (60, None)


def test_practice_of_mmaction2_with_stf():
    """Three epochs from the weights of that baseline, at low rates."""
    own = load('stf_msg3d_ntu60_xsub_j_u100')
    stock = stock_config('stgcnpp')
    check_u100_data(own, stock)
    assert own.optim_wrapper.optimizer == dict(stock.optim_wrapper.optimizer, lr=1e-3)
    assert own.param_scheduler == [
        dict(type='CosineAnnealingLR', T_max=3, eta_min=0, convert_to_iter_based=True)
    ]
    assert learning_rates(own) == pytest.approx([1e-3, 7.5e-4, 2.5e-4])
    assert own.load_from == 'work_dirs/msg3d_ntu60_xsub_j_u100/epoch_16.pth'
    assert own.get('custom_hooks') is None  # no warm-up
    baseline = load('msg3d_ntu60_xsub_j_u100')
    assert baseline.train_cfg.max_epochs == 16
    assert own.model == load('stf_msg3d_ntu60_xsub_j').model
    assert baseline.model == load('msg3d_ntu60_xsub_j').model


@pytest.mark.parametrize(
    'name', [n for n in CONFIGS if n.startswith('stf_') and 'custom_hooks' in load(n)]
)
def test_the_rates_change_where_the_phase_does(name):
    cfg = load(name)
    switch = cfg.custom_hooks[0].warmup_epochs
    rates = learning_rates(cfg)
    if 'msg3d' not in name:  # MMAction2's cosine
        assert max(rates[switch:]) < 0.01 and len(rates) == switch + 3 == 16
        return
    near = dict(rel=0.25)  # a cosine ends one iteration before its least value
    assert rates[switch] == pytest.approx(1e-3, **near)
    last = 1e-3 if 'tiny' in name else 1e-4  # of one epoch, of several
    assert rates[-1] == pytest.approx(last, **near)
    assert 0 < switch < len(rates)


def without_scopes(value):
    if isinstance(value, dict):
        return {k: without_scopes(v) for k, v in value.items() if k != '_scope_'}
    if isinstance(value, (list, tuple)):
        return [without_scopes(v) for v in value]
    return value


COMPLETE = sorted((ROOT / 'configs/complete').glob('*.py'))


@pytest.mark.parametrize('path', COMPLETE, ids=[path.stem for path in COMPLETE])
def test_complete_configs_are_the_inherited_ones(path):
    """Every setting that a Runner or MMAction2's API reads is the same."""
    name = re.search(r'the same as[\s#]+(configs/\S+\.py)', path.read_text())[1]
    own, other = (Config.fromfile(file).to_dict() for file in (path, ROOT / name))
    read = {
        key
        for key in {*own, *other}
        if key in ('model', 'custom_hooks', 'custom_imports', 'test_pipeline', 'auto_scale_lr')
        or key.endswith(('_cfg', '_dataloader', '_evaluator', '_scheduler', '_wrapper', '_hooks'))
    }
    assert 'train_dataloader' in read and 'param_scheduler' in read
    for key in read:
        assert without_scopes(own[key]) == without_scopes(other[key]), key
