"""Every config takes a step: its data, loader, network and optimizer."""

import copy
import pickle
import shutil

import numpy as np
import pytest
import torch
from helpers.zoo_configs import CONFIGS, ROOT, STOCK, dataset_of, expected_losses, load, network_of
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from stf_mmaction.datasets.layouts import get_layout

# File -> persons, joints, channels, splits; the NTU ones as MMAction2
# publishes them.
FILES = {
    'ntu60_3d': ((1, 2), 25, 3, ('xsub', 'xview')),
    'ntu120_3d': ((1, 2), 25, 3, ('xsub', 'xset')),
    'k400_openpose': ((2,), 18, 2, ('',)),
    'utd_mhad': ((1,), 20, 3, ('',)),
    'nw_ucla': ((1,), 20, 3, ('',)),
}
CLIPS = 20  # of each part, so that 10 % are two
FRAMES = (9, 12)  # in turn
LABELS = (3, 0)


def write(path, persons, joints, channels, splits):
    """A file of random skeletons, half of them with one person."""
    rng = np.random.default_rng(0)
    split, annotations = {}, []
    for name in splits:
        for part in ('train', 'val'):
            own = []
            for i in range(CLIPS):
                frames = FRAMES[i % 2]
                shape = persons[i % len(persons)], frames, joints
                clip = dict(
                    frame_dir=f'{name}{part}{i:03d}',
                    label=LABELS[i % 2],
                    keypoint=rng.normal(size=(*shape, channels)).astype(np.float16),
                    total_frames=frames,
                )
                if channels == 2:
                    clip['keypoint_score'] = rng.uniform(0.1, 1, shape).astype(np.float16)
                annotations.append(clip)
                own.append(clip['frame_dir'])
            split[f'{name}_{part}'.lstrip('_')] = own
    with open(path, 'wb') as file:
        pickle.dump(dict(split=split, annotations=annotations), file)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A folder with each file at the place that the configs name."""
    folder = tmp_path_factory.mktemp('zoo')
    (folder / 'data/skeleton').mkdir(parents=True)
    for name, spec in FILES.items():
        write(folder / f'data/skeleton/{name}.pkl', *spec)
    (folder / 'tools/demo_data').mkdir(parents=True)
    shutil.copy(ROOT / 'tools/demo_data/ui_prmd_tiny.pkl', folder / 'tools/demo_data')
    return folder


@pytest.fixture(autouse=True)
def here(data, monkeypatch):
    monkeypatch.chdir(data)


_loaded = {}


def batch_of(cfg, loader='train'):
    """Two clips by the loader of a config, cut to their first frames."""
    own = copy.deepcopy(cfg[f'{loader}_dataloader'])
    own.update(batch_size=2, num_workers=0, persistent_workers=False)
    key = str(own)
    if key not in _loaded:
        torch.manual_seed(0)
        _loaded[key] = next(iter(Runner.build_dataloader(own, seed=0)))
    batch = dict(_loaded[key])
    net = network_of(cfg).backbone
    pipeline = own.dataset.get('dataset', own.dataset).pipeline
    (length,) = (step for step in pipeline if step['type'] in ('PadTo', 'UniformSampleFrames'))
    for clip in batch['inputs']:
        assert clip.shape == (
            length.get('num_clips', 1),
            net.get('num_person', 2),
            length.get('length') or length.clip_len,
            get_layout(net.graph_cfg.layout).num_node,
            net.get('in_channels', 3) * len(cfg.model.get('streams', 'j')),
        )
        assert clip.dtype == torch.float32 and clip.isfinite().all()
    # A few frames are enough for a step, and fast.
    batch['inputs'] = [clip[:, :, :9] for clip in batch['inputs']]
    return batch


def small(cfg):
    """The same network with few channels and classes."""
    net = network_of(cfg)
    width = 8 if 'CTRGCN' in net.backbone.type else 6
    net.backbone.base_channels = width
    net.cls_head.in_channels = 4 * width
    net.cls_head.num_classes = 10
    return cfg


_steps = {}


def step_of(cfg):
    """Check a step by a config's own optimizer, once for those that differ in their data alone.

    Returns the model, the names that it logs, and those of the parameters that learn.
    """
    batch = batch_of(cfg)
    key = str((cfg.model, cfg.optim_wrapper, [clip.shape for clip in batch['inputs']]))
    if key in _steps:
        return _steps[key]
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    reached = set()
    optim.optimizer.register_step_pre_hook(
        lambda *_: reached.update(n for n, p in model.named_parameters() if p.grad is not None)
    )
    log = model.train().train_step(batch, optim)
    assert all(torch.as_tensor(value).isfinite().all() for value in log.values())
    learning = {n for n, p in model.named_parameters() if p.requires_grad}
    assert reached == learning
    assert learning == set(before) or network_of(cfg).get('frozen_backbone')
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    # What is zero and feeds what is zero waits for the next step.
    assert learning >= moved >= {n for n in learning if before[n].any()}
    _steps[key] = model, set(log), learning
    return _steps[key]


@pytest.mark.parametrize('name', CONFIGS)
def test_a_step_moves_every_parameter(name):
    """On clips of the config's format."""
    cfg = small(load(name))
    model, log, learning = step_of(cfg)
    assert {key for key in log if 'loss_' in key and 'loss_cls' not in key} == expected_losses(name)
    heads = {n.split('cls_head')[-1] for n in learning}
    assert (heads == {'.fc.weight', '.fc.bias'}) == name.endswith('_shift')
    if name.endswith(('_u100', '_jb')):
        with torch.no_grad():
            tested = model.eval().test_step(batch_of(cfg, 'test'))
        for sample in tested:
            assert sample.pred_score.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize('name', CONFIGS)
def test_clip_ids_are_kept(name):
    if name in STOCK:
        pytest.skip("the pipeline of MMAction2's config is its own")
    cfg = load(name)
    for part in (dataset_of(cfg), cfg.val_dataloader.dataset, cfg.test_dataloader.dataset):
        assert 'frame_dir' in part.pipeline[-1]['meta_keys']


@pytest.mark.parametrize('name', ['msg3d_ntu60_xsub_j_u100', 'stf_msg3d_ntu60_xsub_j_u100'])
def test_each_clip_comes_five_times_an_epoch(name):
    loader = load(name).train_dataloader
    loader.update(num_workers=0, persistent_workers=False)
    ids = [
        sample.frame_dir
        for batch in Runner.build_dataloader(loader, seed=0)
        for sample in batch['data_samples']
    ]
    assert sorted(ids) == sorted(f'xsubtrain{i:03d}' for i in range(CLIPS) for _ in range(5))
    assert ids != sorted(ids)


@pytest.mark.parametrize('base', ['ntu60_xsub', 'ntu120_xset'])
def test_published_files_work_as_they_are(base):
    """float16, one person or two, MMAction2's names of the splits."""
    cfg = Config.fromfile(ROOT / f'configs/_base_/data/{base}.py')
    with open(cfg.ann_file, 'rb') as file:
        raw = {clip['frame_dir']: clip for clip in pickle.load(file)['annotations']}
    split = base.split('_')[1]
    for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = DATASETS.build(cfg[f'{loader}_dataloader'].dataset)
        assert [dataset.get_data_info(i)['frame_dir'] for i in range(len(dataset))] == [
            f'{split}{part}{i:03d}' for i in range(CLIPS)
        ]
        for index, persons in ((0, 1), (1, 2)):
            item = dataset[index]
            clip = raw[item['data_samples'].frame_dir]
            joints, frames = item['inputs'][0], FRAMES[index]
            assert clip['keypoint'].shape == (persons, frames, 25, 3)
            assert joints.shape == (2, 300, 25, 4)
            assert item['data_samples'].gt_label.item() == clip['label']
            # Minus the first person's centre, up to the body height.
            point = torch.from_numpy(clip['keypoint'].astype('f4'))
            point = point - point[:1, :, 20:21]
            own = joints[:persons, :frames, :, :3]
            assert torch.allclose(own * point.norm() / own.norm(), point, atol=1e-4)
            assert (joints[:persons, ..., 3] == 1).all()
            assert torch.equal(joints[:, frames : 2 * frames], joints[:, :frames])
            assert not joints[persons:].any()
