# The demo: 24 epochs of the baseline objective, one cosine down to 1e-3, then 6 of the STF
# objectives, two each at 1e-3, 5e-4 and 1e-4.
_base_ = './msg3d_demo.py'

train_cfg = dict(max_epochs=30)
param_scheduler = [
    *_base_.param_scheduler,
    dict(type='MultiStepLR', milestones=[26], gamma=0.5),
    dict(type='MultiStepLR', milestones=[28], gamma=0.2),
]
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=24)]
