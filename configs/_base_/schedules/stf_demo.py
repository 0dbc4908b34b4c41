# The demo: 40 epochs of the baseline objective, then 9 of the STF
# objectives, three each at 1e-3, 5e-4 and 1e-4.
_base_ = './msg3d_demo.py'

train_cfg = dict(max_epochs=49)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[26, 36], gamma=0.1),
    dict(type='MultiStepLR', milestones=[40], gamma=2),
    dict(type='MultiStepLR', milestones=[43], gamma=0.5),
    dict(type='MultiStepLR', milestones=[46], gamma=0.2),
]
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=40)]
