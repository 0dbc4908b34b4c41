# 65 epochs of the baseline objective, then 15 of the STF objectives, five
# each at 1e-3, 5e-4 and 1e-4.
_base_ = './msg3d_65e.py'

train_cfg = dict(max_epochs=80)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[25, 40, 55], gamma=0.1),
    dict(type='MultiStepLR', milestones=[65], gamma=20),
    dict(type='MultiStepLR', milestones=[70], gamma=0.5),
    dict(type='MultiStepLR', milestones=[75], gamma=0.2),
]
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=65)]
