# Two minutes of everything, for tests: it runs, and learns little.
_base_ = '../../configs/stf_msg3d_demo_j.py'

model = dict(shared=dict(backbone=dict(base_channels=6), cls_head=dict(in_channels=24)))
train_cfg = dict(max_epochs=3)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[1], gamma=0.1),
    dict(type='MultiStepLR', milestones=[2], gamma=0.2),
]
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=2)]
default_hooks = dict(checkpoint=dict(interval=1))
