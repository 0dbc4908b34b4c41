# 60 epochs of the baseline objective, then 15 of the STF objectives, five
# each at 1e-3, 5e-4 and 1e-4.
_base_ = './msg3d_60e.py'

train_cfg = dict(max_epochs=75)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[20, 35, 50], gamma=0.1),
    dict(type='MultiStepLR', milestones=[60], gamma=20),
    dict(type='MultiStepLR', milestones=[65], gamma=0.5),
    dict(type='MultiStepLR', milestones=[70], gamma=0.2),
]
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=60)]
