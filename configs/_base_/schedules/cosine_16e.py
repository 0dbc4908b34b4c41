# MMAction2's practice; 128 clips per step.
_base_ = './sgd.py'

optim_wrapper = dict(optimizer=dict(lr=0.1))
auto_scale_lr = dict(base_batch_size=128)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=16, val_interval=1)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=16, eta_min=0, convert_to_iter_based=True)]
