# 50 epochs of the baseline objective, then 15 of the STF objectives, five
# each at 1e-3, 5e-4 and 1e-4.
_base_ = './msg3d_50e.py'

train_cfg = dict(max_epochs=65)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[20, 35, 45], gamma=0.1),
    dict(type='MultiStepLR', milestones=[50], gamma=20),
    dict(type='MultiStepLR', milestones=[55], gamma=0.5),
    dict(type='MultiStepLR', milestones=[60], gamma=0.2),
]
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=50)]
