"""Runs of a second with a warm-up of two epochs and two of STF."""

import copy

from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import Dataset

from helpers.networks import batch, ensemble_cfg


@DATASETS.register_module()
class EightClips(Dataset):
    """Eight fixed clips."""

    def __init__(self, channels=4):
        self.x, self.data = batch(8, channels=channels)

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(inputs=self.x[index], data_samples=copy.deepcopy(self.data[index]))


def run(work_dir, epochs, resume=False, model=None, hooks=(), channels=4):
    """Train for some epochs of a schedule of four; return the weights."""
    cfg = Config(
        dict(
            model=model or ensemble_cfg(),
            work_dir=str(work_dir),
            default_scope='mmaction',
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                dataset=dict(type='EightClips', channels=channels),
                collate_fn=dict(type='pseudo_collate'),
                sampler=dict(type='DefaultSampler', shuffle=True),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=0.1)),
            param_scheduler=[
                dict(type='MultiStepLR', milestones=[1], gamma=0.1),
                dict(type='MultiStepLR', milestones=[2], gamma=2),
            ],
            custom_hooks=[dict(type='STFPhaseHook', warmup_epochs=2)],
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
            randomness=dict(seed=0),
            resume=resume,
            experiment_name=f'{work_dir.name}_{epochs}_{resume}',
            log_level='WARNING',
        )
    )
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook, 'VERY_LOW')
    runner.train()
    return runner


class Kill(Hook):
    """Ends a run in the middle of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def after_train_iter(self, runner, *_, **__):
        if runner.epoch == self.epoch:
            raise KeyboardInterrupt
