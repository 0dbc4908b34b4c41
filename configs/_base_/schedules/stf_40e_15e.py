# Small data sets: 40 epochs of the baseline objective, then 15 of the STF
# objectives, five each at 1e-3, 5e-4 and 1e-4.
_base_ = './msg3d_40e.py'

train_cfg = dict(max_epochs=55)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[25, 35], gamma=0.1),
    dict(type='MultiStepLR', milestones=[40], gamma=2),
    dict(type='MultiStepLR', milestones=[45], gamma=0.5),
    dict(type='MultiStepLR', milestones=[50], gamma=0.2),
]
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=40)]
