# Very small data sets: about 1,500 steps in all.
_base_ = './strong_20e.py'

train_cfg = dict(max_epochs=100)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=100, eta_min=0, convert_to_iter_based=True)]
