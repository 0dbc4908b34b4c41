# The STF objectives from those weights (load_from), two epochs at each rate.
_base_ = './sgd.py'

auto_scale_lr = dict(base_batch_size=16)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=6, val_interval=2)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[2], gamma=0.5),
    dict(type='MultiStepLR', milestones=[4], gamma=0.2),
]
