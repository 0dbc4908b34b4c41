# To compare networks on a small data set.
_base_ = './sgd.py'

auto_scale_lr = dict(base_batch_size=16)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20, val_interval=5)
param_scheduler = [dict(type='MultiStepLR', milestones=[12, 17], gamma=0.1)]
