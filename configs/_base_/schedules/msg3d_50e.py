# The baseline on NTU RGB+D 60.
_base_ = './sgd.py'

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=1)
param_scheduler = [dict(type='MultiStepLR', milestones=[20, 35, 45], gamma=0.1)]
