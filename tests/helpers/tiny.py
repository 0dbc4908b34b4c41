"""Runs of a second each: a skeleton of five joints, and networks of a few channels."""

import copy
import pickle

import numpy as np
from mmengine.config import Config

from helpers.networks import EXPLORE_LOSSES, FOCUS_LOSSES, STAR, recognizer_cfg
from stf_mmaction.engine.cli import CHECKS, build_runner

NAMES = ('wave', 'kick', 'stand up')


def clips(count=8, classes=3, persons=1, frames=8, joints=5, channels=3, seed=0):
    """Clips whose class shows in how far the first joint is from the centre."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(count):
        keypoint = rng.normal(size=(persons, frames, joints, channels))
        keypoint[:, :, 1] += 3 * (i % classes)
        out.append(
            dict(
                frame_dir=f'clip{i}',
                label=i % classes,
                total_frames=frames,
                keypoint=keypoint.astype(np.float32),
            )
        )
    return out


def write(path, annotations, **more):
    """A pickle with splits ``train`` and ``val``, half of the clips each."""
    names = [clip['frame_dir'] for clip in annotations]
    half = len(names) // 2
    data = dict(split=dict(train=names[:half], val=names[half:]), annotations=annotations, **more)
    path.write_bytes(pickle.dumps(data))
    return path


def model_cfg(kind='baseline', classes=3, channels=4, persons=1):
    """``baseline``, ``focus`` (one network with STF) or ``ensemble``."""
    cfg = recognizer_cfg(classes=classes)
    cfg['backbone'].update(num_person=persons, in_channels=channels)
    if kind == 'baseline':
        cfg['backbone'].update(type='MSG3DBackbone')
    elif kind == 'focus':
        cfg['cls_head'].update(FOCUS_LOSSES)
    else:
        members = [
            dict(name='focus', cls_head=FOCUS_LOSSES),
            dict(name='explore', cls_head=EXPLORE_LOSSES),
        ]
        cfg = dict(type='STFEnsemble', shared=cfg, members=members)
    return cfg


def pipeline(layout=STAR, persons=1, frames=8):
    return [
        dict(type='PrepareSkeleton', layout=layout),
        dict(type='SkeletonStream', layout=layout),
        dict(type='PadTo', length=frames),
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=persons),
        dict(type='PackActionInputs', meta_keys=('frame_dir',)),
    ]


def config(data, work_dir, model, hooks=(), steps=None, stream='j', **options):
    """A config as those in configs/, for one epoch."""

    def loader(split):
        dataset = dict(
            type='SkeletonDataset',
            ann_file=str(data),
            split=split,
            pipeline=steps or pipeline(),
            stream=stream,
            test_mode=split != 'train',
        )
        sampler = dict(type='DefaultSampler', shuffle=split == 'train')
        return dict(batch_size=4, num_workers=0, sampler=sampler, dataset=dataset)

    cfg = Config(
        dict(
            default_scope='mmaction',
            work_dir=str(work_dir),
            launcher='none',
            experiment_name=f'run_{abs(hash(str(work_dir)))}',
            randomness=dict(seed=0),
            model=copy.deepcopy(model),
            train_dataloader=loader('train'),
            val_dataloader=loader('val'),
            test_dataloader=loader('val'),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=1),
            val_cfg=dict(type='ValLoop'),
            test_cfg=dict(type='TestLoop'),
            val_evaluator=[dict(type='MemberAccMetric')],
            test_evaluator=[dict(type='MemberAccMetric')],
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
            default_hooks=dict(
                runtime_info=dict(type='RuntimeInfoHook'),
                timer=dict(type='IterTimerHook'),
                logger=dict(type='LoggerHook', interval=1, ignore_last=False),
                checkpoint=dict(type='CheckpointHook', interval=1),
                sampler_seed=dict(type='DistSamplerSeedHook'),
            ),
            log_processor=dict(type='LogProcessor', window_size=4, by_epoch=True),
            custom_hooks=[*(dict(type=kind) for kind in CHECKS), *hooks],
        )
    )
    cfg.merge_from_dict(options)
    return cfg


def train(cfg):
    """Train in this process, and return the Runner."""
    runner = build_runner(cfg)
    runner.train()
    return runner


def evaluate(cfg, checkpoint):
    """Test a checkpoint in this process, and return the metrics."""
    cfg = copy.deepcopy(cfg)
    cfg.update(load_from=str(checkpoint), resume=False)
    cfg.experiment_name += '_test'
    return build_runner(cfg).test()
