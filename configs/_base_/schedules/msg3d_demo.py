# The baseline phase of the demo.
_base_ = './sgd.py'

auto_scale_lr = dict(base_batch_size=8)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=40, val_interval=50)
param_scheduler = [dict(type='MultiStepLR', milestones=[26, 36], gamma=0.1)]
