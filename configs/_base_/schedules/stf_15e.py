# The STF objectives from the weights of a baseline (load_from).
_base_ = './sgd.py'

optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=15, val_interval=1)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[5], gamma=0.5),
    dict(type='MultiStepLR', milestones=[10], gamma=0.2),
]
