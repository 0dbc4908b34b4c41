"""A training that takes a second, with everything random in it."""

import random

import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

HOOKS = ['FiniteCheckHook', 'ResumeCheckHook', 'ReproducibleHook']


@MODELS.register_module()
class ToyModel(BaseModel):
    """A linear layer behind a dropout."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, inputs, mode='tensor', **_):
        out = self.layer(self.dropout(torch.stack(list(inputs))))
        return dict(loss=out.square().mean()) if mode == 'loss' else out


@DATASETS.register_module()
class RandomClips(Dataset):
    """Ten clips that draw from all three generators."""

    metainfo = {}

    def __len__(self):
        return 10

    def __getitem__(self, index):
        noise = [random.random(), np.random.rand(), torch.rand(()).item()]
        return dict(inputs=index + torch.tensor(noise))


class Stopped(Exception):
    """Ends a run."""


class Kill(Hook):
    """End a run in the middle of an epoch, or of iterations."""

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, *_, **__):
        if runner.iter == self.iteration:
            raise Stopped


def run(work_dir, hooks=(), resume=False, load_from=None, seed=0, by_epoch=True, **changes):
    """Train for four epochs of five steps, or 20 iterations; return the runner."""
    workers = changes.pop('num_workers', 0)
    persistent = changes.pop('persistent_workers', False)
    kind = 'DefaultSampler' if by_epoch else 'InfiniteSampler'
    count = dict(max_epochs=4) if by_epoch else dict(max_iters=20)
    cfg = dict(
        model=dict(type='ToyModel'),
        work_dir=str(work_dir),
        default_scope='mmaction',
        train_dataloader=dict(
            batch_size=2,
            num_workers=workers,
            persistent_workers=persistent,
            dataset=dict(type='RandomClips'),
            sampler=dict(type=kind, shuffle=True),
        ),
        train_cfg=dict(by_epoch=by_epoch, **count),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-3, momentum=0.9)),
        param_scheduler=[dict(type='MultiStepLR', milestones=[1, 3], by_epoch=by_epoch)],
        custom_hooks=[dict(type=kind) for kind in HOOKS],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1 if by_epoch else 5, by_epoch=by_epoch)
        ),
        randomness=dict(seed=seed),
        resume=resume,
        load_from=load_from and str(load_from),
        experiment_name=f'{work_dir.name}_{random.getrandbits(64)}',
        log_level='WARNING',
    )
    runner = Runner.from_cfg(Config({**cfg, **changes}))
    for hook in hooks:
        runner.register_hook(hook, 'VERY_LOW')
    runner.train()
    return runner


def weights(runner):
    return {k: v.clone() for k, v in runner.model.state_dict().items()}
