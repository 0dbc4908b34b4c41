# Small data sets that 20 epochs do not fit: 1,000 to 5,000 steps in all.
_base_ = './strong_20e.py'

train_cfg = dict(max_epochs=40)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=40, eta_min=0, convert_to_iter_based=True)]
