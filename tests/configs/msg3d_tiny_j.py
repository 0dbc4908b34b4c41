# Two minutes of everything, for tests: it runs, and learns little.
_base_ = '../../configs/msg3d_demo_j.py'

model = dict(backbone=dict(base_channels=6), cls_head=dict(in_channels=24))
train_cfg = dict(max_epochs=2)
param_scheduler = [dict(type='MultiStepLR', milestones=[1], gamma=0.1)]
default_hooks = dict(checkpoint=dict(interval=1))
