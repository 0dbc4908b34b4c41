# The baseline on small data sets.
_base_ = './sgd.py'

auto_scale_lr = dict(base_batch_size=16)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=40, val_interval=5)
param_scheduler = [dict(type='MultiStepLR', milestones=[25, 35], gamma=0.1)]
