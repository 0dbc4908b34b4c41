"""Every config builds, takes a step, and states the paper's recipe."""
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose
from networks import samples, total

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path.stem for path in (ROOT / 'configs').glob('*.py'))


def load(name):
    return Config.fromfile(ROOT / f'configs/{name}.py')


def backbone_of(cfg):
    return (cfg.model.get('shared') or cfg.model).backbone


@pytest.mark.parametrize('name', CONFIGS)
def test_a_step_reaches_every_parameter(name):
    """On a clip of the config's format, made from a raw one."""
    cfg = load(name)
    torch.manual_seed(0)
    data = cfg.train_dataloader.dataset
    data = data.get('dataset', data)
    joints = 20 if 'kinect20' in str(data.pipeline) else 25
    import numpy as np
    rng = np.random.default_rng(0)
    pipeline = Compose([
        TRANSFORMS.build(step) for step in data.pipeline
        if step['type'] != 'PadTo'
    ])
    inputs = [
        pipeline(
            dict(
                keypoint=rng.normal(size=(1, 9, joints, 3)).astype('f4'),
                total_frames=9, frame_dir=str(i), label=i,
                stream=data.get('stream', 'j')))['inputs'][:, :, :12]
        for i in range(2)
    ]
    model = MODELS.build(cfg.model)
    model.init_weights()
    losses = model(torch.stack(inputs), samples([0, 1]), mode='loss')
    total(losses).backward()
    assert all(value.isfinite() for value in losses.values())
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    if hasattr(model, 'members'):
        assert {key for key in losses if 'loss_cls' not in key
                and 'loss' in key} == {
                    'focus.loss_divergence', 'focus.loss_coherence',
                    'focus.loss_adjacency', 'explore.loss_exploration'}


def learning_rates(cfg):
    """The learning rate of each epoch, by MMEngine's own schedulers."""
    from mmengine.registry import PARAM_SCHEDULERS
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight],
                                lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(s), default_args=dict(
            optimizer=optimizer)) for s in cfg.param_scheduler
    ]
    rates = []
    for _ in range(cfg.train_cfg.max_epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return rates


BASELINE = [0.05] * 20 + [5e-3] * 15 + [5e-4] * 10 + [5e-5] * 5
STF = [1e-3] * 5 + [5e-4] * 5 + [1e-4] * 5


@pytest.mark.parametrize('name,rates', [
    ('msg3d_ntu60_xsub_j', BASELINE),
    ('stf_msg3d_ntu60_xsub_j', BASELINE + STF),
    ('stf_msg3d_ntu60_xsub_j_focus', STF),
    ('stf_msg3d_ntu60_xsub_j_explore', STF),
])
def test_recipe_of_the_paper(name, rates):
    cfg = load(name)
    assert learning_rates(cfg) == pytest.approx(rates)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.momentum, optimizer.nesterov,
            optimizer.weight_decay) == ('SGD', 0.9, True, 5e-4)
    assert cfg.train_dataloader.batch_size * 4 == 32
    assert cfg.auto_scale_lr.base_batch_size == 32
    net = backbone_of(cfg)
    assert (net.base_channels, net.num_gcn_scales, net.num_g3d_scales,
            net.num_person, net.in_channels) == (96, 13, 6, 2, 4)
    assert net.graph_cfg.layout == 'nturgb+d'
    steps = {step['type']: step for step in
             cfg.train_dataloader.dataset.pipeline}
    assert steps['PadTo']['length'] == 300
    splits = [loader.dataset.split for loader in
              (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader)]
    assert splits == ['xsub_train', 'xsub_val', 'xsub_val']
    head = (cfg.model.get('shared') or cfg.model).cls_head
    assert head.num_classes == 60
    if 'members' in cfg.model:
        assert cfg.custom_hooks[0].warmup_epochs == 50
        weights = {
            key: value.loss_weight
            for member in cfg.model.members
            for key, value in member.cls_head.items()
        }
        assert weights == dict(
            loss_divergence=0.1, loss_coherence=0.1, loss_adjacency=0.01,
            loss_exploration=0.01)


@pytest.mark.parametrize('name', [n for n in CONFIGS if n.startswith('stf_')
                                  and 'custom_hooks' in load(n)])
def test_the_rates_change_where_the_phase_does(name):
    cfg = load(name)
    switch = cfg.custom_hooks[0].warmup_epochs
    rates = learning_rates(cfg)
    assert rates[switch] == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(1e-4)
    assert 0 < switch < len(rates)


@pytest.mark.parametrize('name', CONFIGS)
def test_clip_ids_are_kept(name):
    if 'stgcnpp' in name:
        pytest.skip("the pipeline of MMAction2's config is its own")
    cfg = load(name)
    for loader in (cfg.train_dataloader, cfg.val_dataloader,
                   cfg.test_dataloader):
        pack = loader.dataset.pipeline[-1]
        assert 'frame_dir' in pack['meta_keys']


def test_bone_configs_differ_by_one_knob():
    for name in CONFIGS:
        if not name.endswith('_b'):
            continue
        joints, bones = load(name[:-1] + 'j').to_dict(), load(name).to_dict()
        for loader in ('train', 'val', 'test'):
            dataset = bones[f'{loader}_dataloader']['dataset']
            assert dataset.pop('stream') == 'b'
        assert joints == bones
