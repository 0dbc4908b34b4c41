# The baseline phase of the demo: one cosine.
_base_ = './sgd.py'

auto_scale_lr = dict(base_batch_size=16)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=24, val_interval=50)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=24, end=24, eta_min=1e-3, convert_to_iter_based=True)
]
