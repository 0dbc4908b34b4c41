# Small data sets: 40 epochs of the baseline objective, one cosine down to 1e-3, then 6 of the STF
# objectives, two each at 1e-3, 5e-4 and 1e-4.
_base_ = './strong_40e.py'

train_cfg = dict(max_epochs=46)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=40, end=40, eta_min=1e-3, convert_to_iter_based=True),
    dict(type='MultiStepLR', milestones=[42], gamma=0.5),
    dict(type='MultiStepLR', milestones=[44], gamma=0.2),
]
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=40)]
