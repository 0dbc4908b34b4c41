# Small data sets: one cosine.
_base_ = './sgd.py'

auto_scale_lr = dict(base_batch_size=16)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20, val_interval=5)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=20, eta_min=0, convert_to_iter_based=True)]
